"""What a start of `cutover` costs in CPU, beside importing the libraries that any such command has to import."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from resource import RUSAGE_CHILDREN, getrusage
from typing import Final

from bench.table import Row

TURNS: Final = 7
SECONDS = 40
TYPER = ("-c", "import typer")
DATABASE = ("-c", "import typer, sqlalchemy.ext.asyncio, aiosqlite")
LIMIT = """Both verbs import their tables, queries and wording on top of the libraries, open the database and compile
their statements once; tests/cli/test_what_reading_costs.py lists what they may not import. Compiled modules are on the
disk before the first measured start, as after any earlier command."""
HELP_AT_MOST, READING_AT_MOST = 2.0, 1.4  # times the libraries


def cpu_seconds(arguments: Sequence[str], home: str) -> float:
    """User and system time of one Python process: the least of some turns, since others may use the machine."""
    # Some containers forbid Python to keep compiled modules; each start would compile all of ours, and none of the
    # libraries', which were compiled when they were installed.
    left_out = ("CUTOVER_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    turns = [_once([sys.executable, *arguments], environment | {"CUTOVER_HOME": home}) for _ in range(TURNS + 1)]
    return min(turns[1:])


def _once(command: Sequence[str], environment: dict[str, str]) -> float:
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=False, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [sys.executable, "-m", "migration.cli", "init"],
            env=os.environ | {"CUTOVER_HOME": home},
            check=True,
            capture_output=True,
        )
        typer, database = cpu_seconds(TYPER, home), cpu_seconds(DATABASE, home)
        yield Row("baseline: import typer", f"{typer * 1000:.0f} ms")
        yield Row("baseline: import typer, SQLAlchemy's asyncio part and the driver", f"{database * 1000:.0f} ms")
        yield _against("cutover --help", cpu_seconds(["-m", "migration.cli", "--help"], home), typer, HELP_AT_MOST)
        for verb in ("status", "show N-0001"):
            cost = cpu_seconds(["-m", "migration.cli", *verb.split()], home)
            yield _against(f"cutover {verb}", cost, database, READING_AT_MOST)


def _against(what: str, cost: float, baseline: float, most: float) -> Row:
    ratio = cost / baseline
    value = f"{ratio:.2f} times its baseline ({cost * 1000:.0f} ms)"
    return Row(what, value, f"{most:g} times or less", ratio <= most)
