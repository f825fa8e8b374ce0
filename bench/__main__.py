"""`python -m bench`: all benchmarks, or those named. Prints tables, with the machine on which they were made.

    python -m bench                 all of them, but those that run by themselves
    python -m bench --list          their names
    python -m bench outage          one of them
    python -m bench --record ...    writes the tables into docs/performance.md too

A benchmark is a module of this folder with `run()`, which yields rows; `LIMIT` says what keeps its figures where they
are, `SECONDS` how long it may take, `BY_ITSELF` that only its name starts it, and without a limit. One that takes
longer or ends with an error is recorded with what it had measured until then, and the others follow. The exit code is 1
if a row misses its target or a benchmark did not end.
"""

import argparse
import importlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import sizes
from bench.table import Row, as_markdown, load, machine, with_part

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"


def names() -> list[str]:
    """The modules that have a `run()`."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef run()" in path.read_text())


def run_by_default() -> list[str]:
    return [name for name in names() if not hasattr(importlib.import_module(f"bench.{name}"), "BY_ITSELF")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(names())}")
    parser.add_argument("--list", action="store_true", help="print their names, and nothing else")
    parser.add_argument("--scale", type=float, default=1.0, help="smaller fleets, to try a benchmark out: 0.1")
    parser.add_argument("--record", action="store_true", help=f"write the results into {PAGE.name}")
    options = parser.parse_args(arguments)
    if options.list:
        for name in names():
            print(f"{name}: {(importlib.import_module(f'bench.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(names())}")
    if options.record and options.scale != 1.0:
        parser.error("smaller fleets are not recorded")
    sizes.SCALE = options.scale
    print(machine())
    measured_rows = [row for name in options.names or run_by_default() for row in measured(name, record=options.record)]
    return 1 if any(not row.met for row in measured_rows) else 0


def measured(name: str, *, record: bool) -> list[Row]:
    """The rows of one benchmark, as far as it came."""
    module = importlib.import_module(f"bench.{name}")
    circumstances, began = f"on {machine()}; {load()}", time.perf_counter()
    rows: list[Row] = []
    try:
        with _time_limit(getattr(module, "SECONDS", None)):
            for row in module.run():
                print(f"{name}: {row.what}: {row.value}", file=sys.stderr, flush=True)
                rows.append(row)
    except TimeUp as exc:
        rows.append(Row(f"the rest, after {exc}", "not measured: the time was up", "to end", met=False))
    except Exception as exc:  # noqa: BLE001  the other benchmarks say something all the same
        rows.append(Row("the rest", f"not measured: {_in_a_line(exc)}", "to end", met=False))
    finally:
        circumstances += f"; it took {time.perf_counter() - began:.0f} s"
        text = as_markdown(name, rows, circumstances, getattr(module, "LIMIT", ""))
        print("\n" + text, flush=True)
        if record:
            PAGE.write_text(with_part(PAGE.read_text() if PAGE.exists() else "", name, text))
    return rows


class TimeUp(BaseException):
    """Not an Exception: what runs in between must not take it for an error of its own."""


@contextmanager
def _time_limit(seconds: int | None) -> Iterator[None]:
    """Raises TimeUp in this thread. Processes that were started end with the blocks that started them."""
    if seconds is None:
        yield
        return

    def time_is_up(*_: Any) -> None:
        raise TimeUp(f"{seconds} s")

    signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _in_a_line(exc: Exception) -> str:
    return " ".join(f"{type(exc).__name__}: {exc}".replace("|", "/").split())[:200]


if __name__ == "__main__":
    sys.exit(main())
