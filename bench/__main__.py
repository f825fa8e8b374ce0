"""`python -m bench`: all benchmarks, or those named. Prints tables, with the machine on which they were made.

    python -m bench                 all of them
    python -m bench --list          their names
    python -m bench sandbox         one of them
    python -m bench --record ...    writes the tables into docs/bench.md too

A benchmark is a module of this folder with `run()`, which yields rows. The exit code is 1 if a row misses its target.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.table import Row, as_markdown, machine, with_part

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "bench.md"


def names() -> list[str]:
    """The modules that have a `run()`."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef run()" in path.read_text())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(names())}")
    parser.add_argument("--list", action="store_true", help="print their names, and nothing else")
    parser.add_argument("--record", action="store_true", help=f"write the results into {PAGE.name}")
    options = parser.parse_args(arguments)
    if options.list:
        for name in names():
            print(f"{name}: {(importlib.import_module(f'bench.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(names())}")
    print(machine())
    missed = [row for name in options.names or names() for row in measured(name, record=options.record) if not row.met]
    return 1 if missed else 0


def measured(name: str, *, record: bool) -> list[Row]:
    module = importlib.import_module(f"bench.{name}")
    rows: list[Row] = list(module.run())
    text = as_markdown(name, rows)
    print("\n" + text)
    if record:
        PAGE.write_text(with_part(PAGE.read_text() if PAGE.exists() else "", name, text))
    return rows


if __name__ == "__main__":
    sys.exit(main())
