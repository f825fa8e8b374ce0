"""What a number costs the process that moves it, beside a plain script with as many calls, and as a Prefect flow."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.baselines import Result, run_script, script
from bench.homes import POSTGRES, SQLITE, folder, imported, run_module
from bench.records import calls_of
from bench.served import served
from bench.sizes import scaled
from bench.table import Row
from migration.demo.servers import DemoServers

FEW, MANY, IN_FLOW, IN_SCRIPT, AT_ONCE = 300, 1_000, 100, 100, 20
SECONDS = 420
AT_MOST, FLAT, FLOW_AT_MOST, MEBIBYTES = 2.0, 1.1, 1.3, 250
OPTIONS = ("--kinds", "healthy", "--switch", "management_limits=off")
LIMIT = """A number takes 17 steps. Each is a lease and an outcome on the disk, and where it calls something an intent
as well: tests/journeys/test_costs.py counts them. The script with rows writes one row a step and reads nothing back."""


def run() -> Iterator[Row]:
    few, calls = moved(FEW, SQLITE)
    yield from _cost(f"{few['moved']:g} numbers, SQLite", few)
    yield Row("calls a number, to both sides and to the hook", f"{calls}")
    plain, rows = _script(calls), _script(calls, rows=True)
    yield Row("baseline: the plain script with as many calls", _each(plain))
    yield Row("baseline: the same with one SQLite row a step", _each(rows))
    yield ratio("CPU a number, against the script with rows", per_number(few) / per_number(rows), AT_MOST)
    yield Row("CPU a number, against the script without rows", f"{per_number(few) / per_number(plain):.2f} times")
    yield from cost_of(FEW, POSTGRES)
    yield from _in_flow(calls, few)


def moved(numbers: int, database: str) -> tuple[Result, int]:
    """What moving a fleet costs, and the calls that its last number took. Raises RuntimeError if one did not move."""
    count = scaled(numbers)
    with imported("--numbers", str(count), *OPTIONS, database=database) as (environment, manifest):
        result = run_module(environment, "bench.mover", "run", str(AT_ONCE))
        calls = [call for call in calls_of(manifest, manifest["numbers"][-1]) if call["side"] != "command"]
    if result["moved"] != count:
        raise RuntimeError(f"{result['moved']} of {count} moved")
    return result, len(calls)


def cost_of(numbers: int, database: str) -> Iterator[Row]:
    result, _ = moved(numbers, database)
    yield from _cost(f"{result['moved']:g} numbers, {database}", result)


def per_number(result: Result) -> float:
    return result["cpu"] / result["moved"]


def ratio(what: str, value: float, most: float) -> Row:
    return Row(what, f"{value:.2f} times", f"{most:g} times or less", value <= most)


def _each(result: Result) -> str:
    return f"{per_number(result) * 1000:.0f} ms"


def _cost(what: str, result: Result) -> Iterator[Row]:
    rate = result["moved"] / result["seconds"]
    yield Row(f"{what}, {AT_ONCE} at once: CPU a number", f"{_each(result)}; {rate:.1f} numbers a second")
    each = f"{result['statements'] / result['moved']:.0f} and {result['commits'] / result['moved']:.0f}"
    yield Row(f"{what}: statements and commits a number", each)
    if "last" in result:  # too few numbers have no thirds
        yield ratio(f"{what}: CPU of the last third, against the first", result["last"] / result["first"], FLAT)
    yield Row(f"{what}: memory", f"{result['memory']:.0f} MiB", f"{MEBIBYTES} or less", result["memory"] <= MEBIBYTES)


def _script(calls: int, *, rows: bool = False) -> Result:
    return script(("--numbers", str(scaled(IN_SCRIPT)), *OPTIONS), AT_ONCE, calls, rows=rows)


# -- Prefect


def _in_flow(calls: int, direct: Result) -> Iterator[Row]:
    """`run-wave` beside `cutover run` (`direct`) and beside flows that keep no state."""
    numbers = ("--numbers", str(scaled(IN_FLOW)), *OPTIONS)
    with folder() as room:
        ours, by_number, by_step = asyncio.run(_at_server(room, numbers, calls))
    for name, result in (("cutover run", direct), ("the flow run-wave", ours)):
        yield Row(f"{result['moved']:g} numbers, {name}", f"{_each(result)}; {_rate(result):.1f} a second")
    yield Row("baseline: a plain Prefect flow, a task a number", f"{_each(by_number)}; {_rate(by_number):.1f} a second")
    yield Row("baseline: a plain Prefect flow, a task a step", f"{_each(by_step)}; {_rate(by_step):.1f} a second")
    yield ratio("CPU of the flow run-wave, against cutover run", per_number(ours) / per_number(direct), FLOW_AT_MOST)
    share = _rate(ours) / _rate(by_step)
    what = "numbers a second of run-wave, against a plain flow with a task a step"
    yield Row(what, f"{share:.2f} times", "1 time or more", share >= 1)


def _rate(result: Result) -> float:
    return result["moved"] / result["seconds"]


async def _at_server(room: Path, numbers: tuple[str, ...], calls: int) -> tuple[Result, Result, Result]:
    """Our flow and both plain ones at one Prefect server on SQLite, one after another."""
    async with DemoServers(room / "prefect") as servers:
        await servers.start_prefect()
        of_server = {name: value for name, value in servers.env.items() if name.startswith(("PREFECT_", "DO_NOT"))}
        with imported(*numbers) as (environment, _):
            ours = run_module(environment | of_server, "bench.mover", "flow")
        plain = [_plain_flow(room, numbers, calls, what, of_server) for what in ("number", "step")]
    return ours, plain[0], plain[1]


def _plain_flow(room: Path, numbers: tuple[str, ...], calls: int, what: str, of_server: Mapping[str, Any]) -> Result:
    with served(*numbers) as (_, manifest, _):
        return run_script(room, manifest, AT_ONCE, calls, "--prefect", what, environment=os.environ | of_server)
