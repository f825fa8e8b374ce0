"""Rows of results, as a table for the terminal and for docs/performance.md."""

import os
import platform
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEAD = """# Performance

Written by `make bench` (the part `large` by `make bench-large`): change it there. Here speed is safety: what a number
costs decides how long numbers are dark when many cross at once. Ratios are the result; each stands beside its baseline
from the same run. Absolute figures hold for the machine and the load in the head of their table. All far sides are the
sandbox: no figure says anything about Meta.
"""
SAMPLE_S = 2.0
JUDGEMENTS = ("reached", "MISSED")


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


def load() -> str:
    """How busy the machine is before a benchmark begins, with other programs."""
    before, began = _busy_seconds(), time.perf_counter()
    time.sleep(SAMPLE_S)
    busy = (_busy_seconds() - before) / (time.perf_counter() - began)
    return f"other programs used {busy:.2f} of {os.cpu_count()} cores before it, load average {os.getloadavg()[0]:.1f}"


def _busy_seconds() -> float:
    """Of all cores since the machine started, whoever used them. https://docs.kernel.org/filesystems/proc.html"""
    line = next((line for line in _lines("/proc/stat") if line.startswith("cpu ")), "cpu 0 0 0 0 0")
    user, nice, system, _idle, _waits, *others = map(int, line.split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


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


def as_markdown(name: str, rows: Sequence[Row], circumstances: str, limit: str = "") -> str:
    """The table of one benchmark in Markdown. `limit`: what keeps its figures where they are."""
    lines = [
        f"## {name}",
        "",
        f"`python -m bench {name}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {circumstances}.",
        "",
    ]
    lines += ["| What | Measured | Target |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.value} | {_judged(row)} |" for row in rows]
    return "\n".join([*lines, *(["", *textwrap.wrap(f"What the limit is: {limit}", 140)] if limit else [])]) + "\n"


def _judged(row: Row) -> str:
    if not row.target:
        return ""
    return f"{row.target}: {'reached' if row.met else 'MISSED'}"


def with_part(page: str, name: str, text: str) -> str:
    """The page with the part of this benchmark added or replaced, and its list of targets made anew."""
    _, *parts = ("\n" + page).split("\n## ")
    kept = {part.partition("\n")[0].strip(): f"## {part.strip()}\n" for part in parts}
    kept[name] = text
    kept.pop(TARGETS, None)
    in_order = [kept[each] for each in sorted(kept)]
    return "\n".join([HEAD, _targets(kept), *in_order])


TARGETS = "Targets"


def _targets(parts: dict[str, str]) -> str:
    """Every row of the parts that has a target, missed ones first."""
    rows = [
        (line.rstrip("| ").endswith("reached"), f"| {name} {line}")
        for name in sorted(parts)
        for line in parts[name].splitlines()
        if line.startswith("| ") and line.rstrip("| ").endswith(JUDGEMENTS)
    ]
    missed = sum(not reached for reached, _ in rows)
    head = [f"## {TARGETS}", "", f"{len(rows) - missed} of {len(rows)} are reached.", ""]
    table = ["| Part | What | Measured | Target |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *table, *(line for _, line in sorted(rows, key=lambda row: row[0]))]) + "\n"
