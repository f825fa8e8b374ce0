"""What reading costs as the history and the fleet grow: `status`, `show`, the progress display, listing, importing."""

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.homes import environment_of, folder, imported, run_module
from bench.served import served
from bench.sizes import scaled
from bench.table import Row
from migration.demo.partner_files import WAVE, write_home
from state.database import open_database
from state.ledger.events import digest
from state.queries.queries import Queries
from state.record_key import GENESIS
from state.types import DatabaseClock

NUMBERS, FEW, MANY = 500, 5_000, 500_000  # numbers, and events of all of them together
FLEET, LISTED_S, FILTERED_S = 50_000, 2.0, 0.5
ROWS, IMPORT_S, MEBIBYTES = 3_000, 60, 500
TURNS, SAME = 5, 1.1
SECONDS = 170
# The shown number has as many events in the long history as in the short one: `show` prints all of them.
SHOWN = "N-0001"
OTHER_WAVE = "other"
LIMIT = """No query of `status` or of the progress display touches the events, and `show` reads those of its number by
an index. A listing prints a line a number: its time goes into the rows, the sentences of each line and the search for
secrets and phone numbers in it. Of an import most goes into what Graph shows of each number, which is searched for
secrets, and into reading the file; 200 migrations begin in one transaction."""


def run() -> Iterator[Row]:
    yield from _listing()
    yield from importing(ROWS)
    yield from _history()


# -- a longer history


def _history() -> Iterator[Row]:
    few, many = scaled(FEW), scaled(MANY)
    with imported("--numbers", str(scaled(NUMBERS)), "--kinds", "dark") as (environment, _):
        path = Path(environment["CUTOVER_HOME"], "cutover.db")
        verbs = {"status": ("status",), "status --json": ("status", "--json"), "show": ("show", SHOWN)}
        lengthen(path, few)
        before = {name: _cpu(environment, *verb) for name, verb in verbs.items()} | {"progress": _progress(path)}
        lengthen(path, many)
        for name, cost in before.items():
            later = _progress(path) if name == "progress" else _cpu(environment, *verbs[name])
            what = f"{'progress display' if name == 'progress' else f'cutover {name}'}, {many:,} events against {few:,}"
            value = f"{later / cost:.2f} times ({later * 1000:.3g} ms)"
            yield Row(what, value, f"{SAME:g} times or less", later / cost <= SAME)


def lengthen(path: Path, events: int) -> None:
    """Give the fleet so many events together; the shown number keeps those that it has.

    The chains are whole and without the record's key, which `status` and `show` of another number do not look at.
    """
    with sqlite3.connect(path) as database:
        migrations = [row[0] for row in database.execute("SELECT id FROM number_migrations ORDER BY id")][1:]
        have = database.execute("SELECT count(*) FROM events").fetchone()[0]
        each = max(events - have, 0) // len(migrations)
        for migration in migrations:
            database.executemany(
                "INSERT INTO events (migration_pk, seq, at, kind, facts, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
                _chain(database, migration, each),
            )
        database.execute("ANALYZE")
    database.close()


def _chain(database: sqlite3.Connection, migration: int, count: int) -> Iterator[Sequence[Any]]:
    last = "SELECT seq, hash FROM events WHERE migration_pk = ? ORDER BY seq DESC LIMIT 1"
    seq, previous = database.execute(last, (migration,)).fetchone() or (0, GENESIS)
    at, facts = datetime.now(UTC), {"step": "drain", "reason": "the client still sends"}
    for place in range(seq + 1, seq + 1 + count):
        new = digest(None, previous, migration, place, at, "waiting", facts)
        yield migration, place, at.strftime("%Y-%m-%d %H:%M:%S.%f"), "waiting", json.dumps(facts), previous, new
        previous = new


def _cpu(environment: Mapping[str, str], *verb: str) -> float:
    """User and system time of a verb: the least of some turns, since others may use the machine."""
    return min(_run(environment, *verb)[0] for _ in range(TURNS))


def _run(environment: Mapping[str, str], *verb: str) -> tuple[float, float]:
    """CPU and time. Raises CalledProcessError where it failed; 3 says that numbers are dark."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "migration.cli", *verb]
    done = subprocess.run(command, env=environment, check=False, capture_output=True)
    if done.returncode not in (0, 3):
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def _progress(path: Path) -> float:
    """Seconds of what a moving wave asks in each round for its bar."""

    async def ask() -> float:
        database = open_database(f"sqlite+aiosqlite:///{path}")
        queries, costs = Queries(database, DatabaseClock()), []
        for _ in range(10 * TURNS):
            began = time.perf_counter()
            await queries.positions.progress(wave=WAVE)
            costs.append(time.perf_counter() - began)
        await database.dispose()
        return min(costs)

    return asyncio.run(ask())


# -- a larger fleet


def _listing() -> Iterator[Row]:
    count = scaled(FLEET)
    with imported("--numbers", "6", "--kinds", "dark") as (environment, _):
        copy_number(Path(environment["CUTOVER_HOME"], "cutover.db"), count)
        for name, verb, most in (
            ("status", ("status",), LISTED_S),
            ("status --json", ("status", "--json"), LISTED_S),
            ("status WAVE, a wave of 50", ("status", OTHER_WAVE), FILTERED_S),
        ):
            cpu, seconds = _run(environment, *verb)
            value = f"{seconds:.2f} s ({cpu:.2f} s of CPU)"
            yield Row(f"cutover {name}, of {count:,} numbers", value, f"{most:g} s or less", seconds <= most)


def copy_number(path: Path, count: int) -> None:
    """Copies of the last number, without a client, until there are so many; the last 50 are a wave of their own."""
    with sqlite3.connect(path) as database:
        database.row_factory = sqlite3.Row
        (first,) = database.execute("SELECT max(id) + 1 FROM numbers").fetchone()
        number = dict(database.execute("SELECT * FROM numbers ORDER BY id DESC LIMIT 1").fetchone())
        migration = dict(database.execute("SELECT * FROM number_migrations ORDER BY id DESC LIMIT 1").fetchone())
        wave = dict(database.execute("SELECT * FROM waves LIMIT 1").fetchone())
        _insert(database, "waves", [wave | {"id": wave["id"] + 1, "name": OTHER_WAVE}])
        ids = range(first, count + 1)
        copies = (
            {"id": at, "ref": f"N-{at:04d}", "e164": f"+4915{at:08d}", "phone_number_id": f"9{at:014d}"} for at in ids
        )
        _insert(database, "numbers", [number | copy for copy in copies])
        moves = ({"id": at, "number_pk": at, "wave_pk": wave["id"] + (at > count - 50)} for at in ids)
        _insert(database, "number_migrations", [migration | move for move in moves])
        database.execute("ANALYZE")
    database.close()


def _insert(database: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    names, places = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)


def importing(rows: int) -> Iterator[Row]:
    count = scaled(rows)
    sandbox = ("--numbers", str(count), "--kinds", "dark", "--switch", "management_limits=off")
    with folder() as room, served(*sandbox) as (_, manifest, _):
        home = room / "home"
        home.mkdir()
        write_home(home, manifest)
        environment = environment_of(home, manifest, None)
        run_module(environment, "migration.cli", "init")
        result = run_module(environment, "bench.mover", "import")
    of_fleet = result["cpu"] / count * FLEET
    value = f"{result['cpu']:.1f} s, so {of_fleet:.0f} s for {FLEET:,}"
    yield Row(f"import of {count:,} rows: CPU", value, f"{IMPORT_S} s or less for {FLEET:,}", of_fleet <= IMPORT_S)
    memory = result["memory"]
    yield Row(f"import of {count:,} rows: memory", f"{memory:.0f} MiB", f"{MEBIBYTES} or less", memory <= MEBIBYTES)
