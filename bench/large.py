"""By itself (`make bench-large`): 10,000 numbers over 40 active WABAs, 1,000 on each database, an import of 50,000.

The sandbox answers after documented latencies: `register` takes up to 15 s.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from bench import fleet as fleets
from bench import reading
from bench.fleet import per_number, ratio
from bench.homes import POSTGRES, SQLITE, folder, imported, run_module
from bench.sizes import scaled
from bench.table import Row

BY_ITSELF = True
NUMBERS, WABAS, AT_ONCE = 10_000, 40, 200
AN_HOUR, FLAT, MEBIBYTES = 10_000, 1.1, 250
REGISTER_S = 15  # https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
LIMIT = """One process uses one core. How many numbers an hour it moves follows from the CPU of a number."""


def run() -> Iterator[Row]:
    count = scaled(NUMBERS)
    with folder() as room:
        path = Path(room, "fleet.yaml")
        path.write_text(yaml.safe_dump(fleet(count)))
        sandbox = ("--scenario", str(path), "--switch", f"register_seconds={REGISTER_S}")
        with imported(*sandbox, at_once=AT_ONCE, database=SQLITE) as (environment, _):
            result = run_module(environment, "bench.mover", "run", str(AT_ONCE))
    an_hour = result["moved"] / result["seconds"] * 3600
    what = f"{result['moved']:g} of {count:,} numbers over {WABAS} active WABAs, {AT_ONCE} at once"
    yield Row(f"{what}: numbers an hour", f"{an_hour:,.0f}", f"{AN_HOUR:,} or more", an_hour >= AN_HOUR)
    yield Row("CPU a number", f"{per_number(result) * 1000:.0f} ms")
    yield ratio("CPU of the last third, against the first", result["last"] / result["first"], FLAT)
    memory = result["memory"]
    yield Row("memory", f"{memory:.0f} MiB", f"{MEBIBYTES} or less", memory <= MEBIBYTES)
    for database in (SQLITE, POSTGRES):
        yield from fleets.cost_of(fleets.MANY, database)
    yield from reading.importing(reading.FLEET)


def fleet(count: int) -> dict[str, object]:
    """A WABA is active where it has a number on Cloud: one of each is there already."""
    each = count // WABAS
    businesses = [{"name": "a", "numbers_per_waba": each + 1}]
    numbers = []
    for _ in range(WABAS):
        numbers += [{"kind": "on_cloud", "count": 1}, {"kind": "healthy", "count": each}]
    return {"businesses": businesses, "numbers": numbers}
