"""`python -m bench`: every benchmark there is, or those named. Prints tables with the machine they were made on.

    python -m bench                 all of them
    python -m bench --list          what there is
    python -m bench sandbox         one of them
    python -m bench --record ...    and writes what it printed into docs/bench.md

A benchmark is a module of this folder with `run()`, which gives rows. A row that misses its target ends the run with 1.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.table import Row, machine, recorded, shown

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "bench.md"


def names() -> list[str]:
    """Files that have a `run()`; others help, or draw."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef run()" in path.read_text())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(names())}")
    parser.add_argument("--list", action="store_true", help="what there is, and nothing else")
    parser.add_argument("--record", action="store_true", help=f"write the results into {PAGE.name}")
    told = parser.parse_args(arguments)
    if told.list:
        for name in names():
            print(f"{name}: {(importlib.import_module(f'bench.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    if unknown := sorted(set(told.names) - set(names())):
        parser.error(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(names())}")
    print(machine())
    missed = [row for name in told.names or names() for row in measured(name, record=told.record) if not row.met]
    return 1 if missed else 0


def measured(name: str, *, record: bool) -> list[Row]:
    module = importlib.import_module(f"bench.{name}")
    rows: list[Row] = list(module.run())
    text = shown(name, rows)
    print("\n" + text)
    if record:
        PAGE.write_text(recorded(PAGE.read_text() if PAGE.exists() else "", name, text))
    return rows


if __name__ == "__main__":
    sys.exit(main())
