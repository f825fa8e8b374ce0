"""Whole numbers from import to their end: what the other side saw, in order."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from migration.steps.outcomes import Advanced, Blocked
from state.enums import Side, Status
from tests.harness.in_process import MakeHarness


@dataclass(frozen=True)
class Story:
    """A number, the way it must be given, and every write about it that must reach the far side, in order."""

    itinerary: str
    calls: list[str]
    how: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict)


STORIES = {
    "with backup": Story(
        "WITH_BACKUP", ["onprem.two_step", "register", "messages", "command.stop"], {"kinds": ["healthy"]}
    ),
    "with backup and a traffic hook": Story(
        "WITH_BACKUP",
        ["onprem.two_step", "pause_sends", "register", "switch_route", "messages", "resume_sends", "command.stop"],
        {"kinds": ["healthy"]},
        {"hook": "senders"},
    ),
    "code first": Story(
        "CODE_FIRST",
        [
            "onprem.two_step",
            "request_code",
            "verify_code",
            "command.stop",
            "register",
            "messages",
            "profile",
        ],
        {"kinds": ["no_backup"]},
    ),
    "code first, verified already": Story(
        "CODE_FIRST",
        ["onprem.two_step", "command.stop", "register", "messages", "profile"],
        {"kinds": ["verified"]},
        {"itinerary": "CODE_FIRST"},
    ),
    "code after, codes refused while On-Premises": Story(
        "CODE_AFTER",
        ["onprem.two_step", "command.stop", "request_code", "verify_code", "register", "messages", "profile"],
        {"kinds": ["code_refused"]},
        {"itinerary": "CODE_AFTER"},
    ),
    "code after, dark on arrival": Story(
        "CODE_AFTER", ["set_pin", "request_code", "verify_code", "register", "messages"], {"kinds": ["dark"]}
    ),
    "code after, host gone": Story(
        "CODE_AFTER",
        ["set_pin", "command.stop", "request_code", "verify_code", "register", "messages"],
        {"kinds": ["host_gone"]},
    ),
    "code after, a year after the sunset": Story(
        "CODE_AFTER",
        ["set_pin", "command.stop", "request_code", "verify_code", "register", "messages"],
        {"kinds": ["expired"], "world": "after-sunset"},
    ),
    "onboard": Story("ONBOARD", ["set_pin", "register", "messages"], {"kinds": ["new"]}),
}


@pytest.mark.parametrize("name", STORIES)
async def test_the_far_side_sees_exactly_these_writes(make_harness: MakeHarness, name: str) -> None:
    story = STORIES[name]
    harness = await make_harness(**story.how)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **story.columns)
        assert at.itinerary == story.itinerary
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE)
        assert await app.queries.records.broken_link(at.migration_id) is None
    number = harness.sandbox_number(at)
    assert (number.platform, number.registered, number.double_effects) == ("CLOUD_API", 1, 0)
    assert harness.mutations(at) == story.calls


LOOK = ["onprem.health", "onprem.support", "get.number"]
SHUT = ["onprem.health", "onprem.health", "get.number"]  # a closed door is tried twice
READS = {
    # The drain looks before it asks for the queue; register looks once, whatever it needs the look for.
    "with backup and a traffic hook": ("pause_sends", [*LOOK, "onprem.stats_app", *LOOK, "register"]),
    "code first": ("onprem.stats_app", [*LOOK, "command.stop", *SHUT, *SHUT, "register"]),
}


@pytest.mark.parametrize("name", READS)
async def test_one_look_at_each_side_serves_a_whole_pass(make_harness: MakeHarness, name: str) -> None:
    """Of all reads, those that lie within the outage or the gap of the senders are the fewest that prove enough."""
    story, (after, calls) = STORIES[name], READS[name]
    harness = await make_harness(**story.how)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, **story.columns)
        await harness.run_number(app, at.ref)
    seen = [call.call for call in harness.sandbox.world.calls]
    assert seen[seen.index(after) + 1 : seen.index("register") + 1] == calls


async def test_who_served_until_our_call_is_dark_by_us_whatever_was_read_before(make_harness: MakeHarness) -> None:
    """The instance did not answer the snapshot, so no side was on record when register took the number down."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(route="onprem.health", e164=None, kind="500", times=1)
        at = await harness.advance_to(app, at, "register")
        assert at.side is Side.UNKNOWN
        harness.sandbox_number(at).pin = "999999"
        assert isinstance(await harness.run_number(app, at.ref), Blocked)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.dark_by_us) == (Side.NEITHER, True)


async def test_senders_that_take_their_time_are_waited_for_and_lose_nothing(make_harness: MakeHarness) -> None:
    """The hook says 202 and where to ask; asked too early it says 202 once more."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, hook="senders")
        sender = harness.sandbox_number(at).sender
        sender.behaviour, sender.drain_s = "drain", 20.0
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
        assert harness.sandbox_number(at).side == "cloud"
        assert (sender.to_dead_side, sender.lost, sender.gap_s is not None) == (0, 0, True)
