"""`python -m bench`: all benchmarks, or those named. Prints tables, with the machine on which they were made.

    python -m bench                 all of them, but those that run by themselves
    python -m bench --list          their names
    python -m bench outage          one of them
    python -m bench --record ...    writes the tables into docs/performance.md too

A benchmark is a module of this folder with `run()`, which yields rows; `LIMIT` says what keeps its figures where they
are, `BY_ITSELF` that only its name starts it. The exit code is 1 if a row misses its target.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

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
    module = importlib.import_module(f"bench.{name}")
    circumstances, began = f"on {machine()}; {load()}", time.perf_counter()
    rows: list[Row] = list(module.run())
    circumstances += f"; it took {time.perf_counter() - began:.0f} s"
    text = as_markdown(name, rows, circumstances, getattr(module, "LIMIT", ""))
    print("\n" + text, flush=True)
    if record:
        PAGE.write_text(with_part(PAGE.read_text() if PAGE.exists() else "", name, text))
    return rows


if __name__ == "__main__":
    sys.exit(main())
