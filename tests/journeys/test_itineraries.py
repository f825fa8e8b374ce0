"""Whole migrations from import to their end: the calls that both sides received, in order."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from migration.steps.outcomes import Advanced, Blocked
from state.enums import Side, Status
from state.queries.record_check import check_record
from tests.harness.in_process import MakeHarness


@dataclass(frozen=True)
class ItineraryCase:
    """A number, the itinerary that must be chosen for it, and every write about it, in order."""

    itinerary: str
    calls: list[str]
    options: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict)


# The texts, then the picture, whose upload is a call about no number.
PROFILE = ["profile", "profile"]
CASES = {
    "with backup": ItineraryCase(
        "WITH_BACKUP", ["onprem.two_step", "register", "messages", "command.stop"], {"kinds": ["healthy"]}
    ),
    "with backup and a traffic hook": ItineraryCase(
        "WITH_BACKUP",
        ["onprem.two_step", "pause_sends", "register", "switch_route", "messages", "resume_sends", "command.stop"],
        {"kinds": ["healthy"]},
        {"hook": "senders"},
    ),
    "code first": ItineraryCase(
        "CODE_FIRST",
        [
            "onprem.two_step",
            "request_code",
            "verify_code",
            "command.stop",
            "register",
            "messages",
            *PROFILE,
        ],
        {"kinds": ["no_backup"]},
    ),
    "code first, verified already": ItineraryCase(
        "CODE_FIRST",
        ["onprem.two_step", "command.stop", "register", "messages", *PROFILE],
        {"kinds": ["verified"]},
        {"itinerary": "CODE_FIRST"},
    ),
    "code after, codes refused while On-Premises": ItineraryCase(
        "CODE_AFTER",
        ["onprem.two_step", "command.stop", "request_code", "verify_code", "register", "messages", *PROFILE],
        {"kinds": ["code_refused"]},
        {"itinerary": "CODE_AFTER"},
    ),
    "code after, dark on arrival": ItineraryCase(
        "CODE_AFTER", ["set_pin", "request_code", "verify_code", "register", "messages"], {"kinds": ["dark"]}
    ),
    "code after, host gone": ItineraryCase(
        "CODE_AFTER",
        ["set_pin", "command.stop", "request_code", "verify_code", "register", "messages"],
        {"kinds": ["host_gone"]},
    ),
    "code after, a year after the sunset": ItineraryCase(
        "CODE_AFTER",
        ["set_pin", "command.stop", "request_code", "verify_code", "register", "messages"],
        {"kinds": ["expired"], "world": "after-sunset"},
    ),
    "onboard": ItineraryCase("ONBOARD", ["set_pin", "register", "messages"], {"kinds": ["new"]}),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_itinerary_makes_exactly_these_writes(make_harness: MakeHarness, name: str) -> None:
    case = CASES[name]
    harness = await make_harness(**case.options)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **case.columns)
        assert position.itinerary == case.itinerary
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE)
        assert (await check_record(app.database)).problems == []
    number = harness.sandbox_number(position)
    assert (number.platform, number.registered, number.double_effects) == ("CLOUD_API", 1, 0)
    assert harness.mutations(position) == case.calls


READING = ["onprem.health", "onprem.support", "get.number"]
READING_REFUSED = ["onprem.health", "onprem.health", "get.number"]  # a refused connection is tried twice
READS = {
    # drain asks Graph only where the client does not serve, and looks at the queue twice; register reads both sides
    # once for all that it checks, or goes by the proof of the stop.
    "with backup and a traffic hook": (
        "pause_sends",
        ["onprem.health", "onprem.support", "onprem.stats_app", "onprem.stats_app", *READING, "register"],
    ),
    "code first": ("onprem.stats_app", [*READING, "command.stop", *READING_REFUSED, "register"]),
}


@pytest.mark.parametrize("name", READS)
async def test_each_side_is_read_once_in_a_pass(make_harness: MakeHarness, name: str) -> None:
    """Within the outage and the sender gap there are no more reads than are needed."""
    case, (after, calls) = CASES[name], READS[name]
    harness = await make_harness(**case.options)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **case.columns)
        await harness.run_number(app, position.ref)
    calls_made = [call.call for call in harness.sandbox.world.calls]
    assert calls_made[calls_made.index(after) + 1 : calls_made.index("register") + 1] == calls


async def test_a_number_taken_down_by_our_call_is_dark_by_us_even_if_its_side_was_unknown(
    make_harness: MakeHarness,
) -> None:
    """The instance answered neither import nor snapshot, so the side was unknown when register took the number down."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        harness.sandbox.faults.add(route="onprem.health", e164=None, kind="500", times=2)
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        assert position.side is Side.UNKNOWN
        harness.sandbox_number(position).pin = "999999"
        assert isinstance(await harness.run_number(app, position.ref), Blocked)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.dark_by_us) == (Side.NEITHER, True)


async def test_slow_senders_are_waited_for_and_lose_no_message(make_harness: MakeHarness) -> None:
    """The hook answers 202 with a URL to ask; asked too early it answers 202 again."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        sender = harness.sandbox_number(position).sender
        sender.behaviour, sender.drain_s = "drain", 20.0
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
        assert harness.sandbox_number(position).side == "cloud"
        assert (sender.to_dead_side, sender.lost, sender.gap_s is not None) == (0, 0, True)
