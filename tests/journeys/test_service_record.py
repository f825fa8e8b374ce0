"""After every step of every itinerary, what `status --json` says is what the sandbox's own record says."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest

from migration.app import App
from migration.cli.status import fleet_document, read_fleet
from migration.errors import OperationRefused
from migration.operations.numbers import switch_to_abort
from migration.operations.open_calls import settle_open_call
from migration.steps.outcomes import Advanced, Blocked, Held, Waiting
from state.enums import Party
from state.errors import StateError
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.scenarios import SCENARIOS, first_position

CALLS = ("register", "deregister", "command.stop", "command.start", "onprem.restore", "onprem.verify")
# A fault at each call that can move a number; `dies_before`: the client is stopped so long before the call, in seconds.
LOST = {"kind": "lost_answer"}
REFUSED_AFTER_EFFECT = {"kind": "500", "effect": True}
TROUBLES: dict[str, tuple[Mapping[str, Any], float]] = {
    "no trouble": ({}, 0.0),
    "answers lost": (LOST, 0.0),
    "refused after the effect": (REFUSED_AFTER_EFFECT, 0.0),
    "the client is dead before the call": ({}, 7.8),
    "dead before the call, and answers lost": (LOST, 7.8),
}
MOVING = ("register", "deregister_onprem")
CLOSE = 1.0  # seconds


@dataclass
class Comparison:
    """`harness` with its number, and what has differed so far."""

    harness: Harness
    app: App
    differences: list[str]

    async def after(self, what: str) -> None:
        """Compare now; nobody has to have read the number since its world changed by time alone."""
        fleet = await read_fleet(self.app.queries, None)
        document = fleet_document(fleet, show_numbers=True)
        paused = {row["ref"] for row in document["paused_senders"]}
        outages = await self.app.queries.positions.history(fleet.board[0].number_id)
        lagging = bool(self.harness.sandbox.world.switches.read_lag_s)
        for row in document["numbers"]:
            number = self.harness.sandbox.world.number(row["number"])
            true = self.harness.sandbox.world.describe(number)
            said = {**row, "paused": row["ref"] in paused}
            most = sum(one.outage_seconds or 0.0 for one in outages)
            least = sum(one.outage_at_least or 0.0 for one in outages)
            found = [
                *_side(said, true, fleet.now, lagging=lagging),
                *_outage(said, least, most, true),
                *_paused(said, number),
                *_whose_move(said, self.harness.sandbox.sms(row["number"]), number),
            ]
            self.differences += [f"{what}: {one}" for one in found]


def _side(said: Mapping[str, Any], true: Mapping[str, Any], now: datetime, *, lagging: bool) -> list[str]:
    found = []
    changed = true["dark_since"] is not None and datetime.fromisoformat(true["dark_since"]) > said["seen_at"]
    if lagging and changed and said["side"] == "on_premises":
        return []  # it was so when it was seen, as its age says: neither the client nor Graph shows more yet
    if said["side"] not in (true["side"], "unknown"):
        found.append(f"side {said['side']}, truly {true['side']}")
    if said["side"] != true["side"] or true["kind"] == "new":
        return found
    if (true["side"] == "neither") != (said["dark_s"] is not None):
        found.append(f"dark for {said['dark_s']}, truly on {true['side']}")
    elif true["side"] == "neither":
        dark = (now - datetime.fromisoformat(true["dark_since"])).total_seconds()
        most = said["dark_at_most_s"] if said["dark_at_most_s"] is not None else float("inf")
        if not said["dark_at_least_s"] - CLOSE <= dark <= most + CLOSE:
            found.append(f"dark from {said['dark_at_least_s']} to {most} s, truly {dark} s")
    return found


def _outage(said: Mapping[str, Any], least: float, most: float, true: Mapping[str, Any]) -> list[str]:
    """Compared where both say that it is over: an outage that goes on is in neither figure."""
    if true["side"] == "neither" or said["side"] != true["side"]:
        return []
    was = true["outage_s"] or 0.0
    return [] if least - CLOSE <= was <= most + CLOSE else [f"outage {least:.1f} to {most:.1f} s, truly {was:.1f} s"]


def _paused(said: Mapping[str, Any], number: Any) -> list[str]:
    truly = number.sender.paused_at is not None
    return [] if said["paused"] == truly else [f"senders paused: {said['paused']}, truly {truly}"]


def _whose_move(said: Mapping[str, Any], codes: Sequence[str], number: Any) -> list[str]:
    """A customer has a code in hand, nothing is asked of anybody after the end, and a blocked number has a page."""
    found = []
    verified = said["next_step"] == "verify_code" and number.code_status == "VERIFIED"
    if said["on"] == "customer" and (not codes or verified):
        found.append("a customer is waited for, who has no code")
    if (said["status"] in ("done", "aborted")) != (said["on"] == "-"):
        found.append(f"{said['status']}, and the next move is of {said['on']}")
    if said["status"] == "blocked" and (said["on"] != "operator" or not said["runbook"]):
        found.append(f"blocked, and the next move is of {said['on']} by {said['runbook']}")
    return found


async def _make(make_harness: MakeHarness, scenario: str, **switches: Any) -> Harness:
    chosen = SCENARIOS[scenario]
    switched = {"register_seconds": 8, **chosen.switches, **switches}
    harness = await make_harness(kinds=[chosen.kind], world=chosen.world, switches=switched)
    harness.sandbox.world.calls_take_time = True

    async def take_time(request: httpx.Request) -> None:
        ends = [number.moving_until for number in harness.sandbox.world.numbers.values() if number.moving_until]
        if request.method == "POST" and ends:
            harness.clock.advance(max((ends[0] - harness.clock.now()).total_seconds(), 0.0))

    harness.before_answer = take_time
    return harness


def _die(harness: Harness, seconds: float) -> None:
    """The client of the number stops by itself, so long ago."""
    (number,) = harness.sandbox.world.numbers.values()
    if number.instance_id is not None and number.side == "on_premises":
        harness.sandbox.stop_instance(number.instance_id)
        harness.clock.advance(seconds)


async def _run(harness: Harness, scenario: str, trouble: str, abort_after: int | None = None) -> tuple[list[str], str]:
    """All differences on the way of the number to its end, to a person, or through 300 steps.

    `abort_after`: so many steps, a person asks to abort it.
    """
    fault, dead_for = TROUBLES[trouble]
    async with harness.worker() as app:
        position = await first_position(harness, app, SCENARIOS[scenario])
        for call in CALLS if fault else ():
            harness.sandbox.faults.add(route=call, times=1, **fault)
        comparison = Comparison(harness, app, [])
        await comparison.after("the import")
        died = False
        for step in range(300):
            if step == abort_after:
                await _abort(comparison, position.ref)
            position = await app.queries.positions.get(position.migration_id)
            if dead_for and not died and position.next_step in MOVING:
                died = True
                _die(harness, dead_for)
            harness.clock.advance(0.2)
            outcome = await app.runner.run_step(position.migration_id)
            await comparison.after(f"{position.next_step} of {position.itinerary}")
            match outcome:
                case Advanced(ended=True) | Blocked() | Held():
                    return comparison.differences, str(outcome)
                case Waiting(on=Party.CUSTOMER) if await harness.enter_newest_code(app, position):
                    continue
                case Waiting(until=until):
                    harness.clock.advance(max((until - harness.clock.now()).total_seconds(), 0.1))
    raise AssertionError(f"{scenario}, {trouble}: never came to an end")


async def _abort(comparison: Comparison, ref: str) -> None:
    with suppress(OperationRefused, StateError):  # too late: it goes on as it was
        await settle_open_call(comparison.app, await comparison.app.queries.positions.find(ref), lambda _text: None)
        await switch_to_abort(comparison.app, ref, "a person says so", "tester")
    await comparison.after("the request to abort")


def _cases() -> list[Any]:
    daily = (
        "open, with backup",
        "closing, code first",
        "closing, code after",
        "closing, onboard",
        "open, back by code",
    )
    return [
        pytest.param(
            scenario,
            trouble,
            marks=[] if scenario in daily or trouble == "answers lost" else [pytest.mark.slow],
            id=f"{scenario}-{trouble}",
        )
        for scenario in SCENARIOS
        for trouble in TROUBLES
    ]


@pytest.mark.parametrize(("scenario", "trouble"), _cases())
async def test_no_difference_from_the_record_of_the_world(
    make_harness: MakeHarness, scenario: str, trouble: str
) -> None:
    harness = await _make(make_harness, scenario)
    differences, end = await _run(harness, scenario, trouble)
    assert differences == [], end


@pytest.mark.parametrize("lag", [3, 20, pytest.param(55, marks=pytest.mark.slow)])
@pytest.mark.parametrize("trouble", ["no trouble", "answers lost", "the client is dead before the call"])
@pytest.mark.parametrize(
    "scenario", ["open, with backup", "closing, code after", "open, back by restore", "closing, back and forward again"]
)
async def test_readings_that_lag_widen_the_bounds_and_nothing_else(
    make_harness: MakeHarness, scenario: str, trouble: str, lag: int
) -> None:
    harness = await _make(make_harness, scenario, read_lag_s=lag)
    differences, end = await _run(harness, scenario, trouble)
    assert differences == [], end


# As many as the longest of these has; later a request comes after the end and changes nothing.
STEPS = 14


@pytest.mark.parametrize("step", range(1, STEPS))
@pytest.mark.parametrize("trouble", ["no trouble", "answers lost", "the client is dead before the call"])
@pytest.mark.parametrize("scenario", ["open, with backup", "closing, code first", "open, code after"])
async def test_an_abort_after_any_step_differs_as_little(
    make_harness: MakeHarness, scenario: str, trouble: str, step: int
) -> None:
    harness = await _make(make_harness, scenario)
    differences, end = await _run(harness, scenario, trouble, abort_after=step)
    assert differences == [], end
