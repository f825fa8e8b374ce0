"""Rows of results, as a table for the terminal and for docs/bench.md."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEAD = """# Benchmarks

What was measured, on which machine, with which command. `python -m bench --record` writes the parts of this page again.
Figures of the sandbox are labelled so: they say nothing about Meta.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One result. `target`: in words; `met`: whether the value meets it. A row without a target is for information."""

    what: str
    value: str
    target: str = ""
    met: bool = True


def machine() -> str:
    """Processor, cores, memory, system, Python: a figure means nothing without them."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.1f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return int(line.split()[1]) / 1024 / 1024
    return 0.0


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def as_markdown(name: str, rows: Sequence[Row]) -> str:
    """The table of one benchmark in Markdown."""
    lines = [f"## {name}", "", f"`python -m bench {name}`, {datetime.now(UTC):%Y-%m-%d}, on {machine()}.", ""]
    lines += ["| What | Measured | Target |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.value} | {_judged(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _judged(row: Row) -> str:
    if not row.target:
        return ""
    return f"{row.target}: {'met' if row.met else 'MISSED'}"


def with_part(page: str, name: str, text: str) -> str:
    """The page with the part of this benchmark added or replaced; the other parts stay."""
    _, *parts = ("\n" + page).split("\n## ")
    kept = {part.partition("\n")[0].strip(): f"## {part.strip()}\n" for part in parts}
    kept[name] = text
    return "\n".join([HEAD, *(kept[each] for each in sorted(kept))])
