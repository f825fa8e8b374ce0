"""What a second process on the same wave and database gains, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

from bench.homes import POSTGRES, SQLITE, imported, result_of, started
from bench.records import world
from bench.sizes import scaled
from bench.table import Row

NUMBERS, AT_ONCE, AT_LEAST = 80, 20, 1.5
SECONDS = 200
OPTIONS = ("--kinds", "healthy", "--switch", "management_limits=off")
LIMIT = """The sandbox has one of the two cores for itself as long as it needs it, and with PostgreSQL its server runs
beside both: what is left for the second process is less than a core."""


def run() -> Iterator[Row]:
    for database in (SQLITE, POSTGRES):
        one, two = rate(database, 1), rate(database, 2)
        count = scaled(NUMBERS)
        yield Row(f"{count} numbers, {database}: one process, two", f"{one:.1f} and {two:.1f} numbers a second")
        gain = two / one
        what = f"{database}: two processes against one"
        yield Row(what, f"{gain:.2f} times", f"{AT_LEAST:g} times or more", gain >= AT_LEAST)


def rate(database: str, processes: int) -> float:
    """Numbers a second with so many processes, each with its part of the wave, as parts of a flow have them."""
    sandbox = ("--numbers", str(scaled(NUMBERS)), *OPTIONS)
    with imported(*sandbox, at_once=AT_ONCE * processes, database=database) as (environment, manifest):
        arguments = [("run", str(AT_ONCE), str(part), str(processes)) for part in range(processes)]
        if processes == 1:
            results = [_finished(environment, arguments[0])]
        else:
            with (
                started(environment, "bench.mover", *arguments[0]) as first,
                started(environment, "bench.mover", *arguments[1]) as second,
            ):
                results = [result_of(first), result_of(second)]
        moved = sum(number["side"] == "cloud" for number in world(manifest))
    if moved != scaled(NUMBERS):
        raise RuntimeError(f"{moved} of {scaled(NUMBERS)} moved")
    return moved / max(result["seconds"] for result in results)


def _finished(environment: dict[str, str], arguments: tuple[str, ...]) -> dict[str, float]:
    with started(environment, "bench.mover", *arguments) as process:
        return result_of(process)
