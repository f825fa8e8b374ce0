"""Numbers on their way, in each of the three worlds, to be interrupted at every step."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from migration.app import App
from migration.engine.itineraries import itinerary_named
from migration.operations.numbers import recover_forward
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.steps.outcomes import Waiting
from state.enums import Party
from state.rows import Position
from tests.harness.copier import Copies
from tests.harness.in_process import Rig

HOOK = {"hook": "senders"}
WITH_CLIENT = HOOK | {"start_command": "start"}
CODE_AFTER = WITH_CLIENT | {"itinerary": "CODE_AFTER"}
BACK, FORWARD = "back", "forward"


@dataclass(frozen=True)
class Tale:
    """One number and the way that it takes while nobody asks for another one."""

    world: str
    kind: str
    columns: dict[str, str] = field(default_factory=lambda: WITH_CLIENT)
    after: str = ""  # what was asked for before the first step of the tale: the way back, or forward recovery
    back_from: str | None = None  # the first step at which a way back is there to be asked for
    measured: dict[str, str] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)

    def back_is_there(self, at: Position) -> bool:
        if at.next_step is None or self.back_from is None:
            return self.back_from is not None
        steps = [entry.name for entry in itinerary_named(at.itinerary).steps]
        return self.back_from in steps and steps.index(at.next_step) >= steps.index(self.back_from)

    async def begun(self, copies: Copies) -> Rig:
        return await copies.begin(kinds=[self.kind], world=self.world, switches=self.switches)


TALES = {
    "open, with backup": Tale("open", "verified", back_from="confirm"),
    "open, with a backup that registers nothing": Tale(
        "open", "verified", back_from="confirm", switches={"restore_registers": "never"}
    ),
    "open, code first": Tale("open", "no_backup", back_from="register"),
    "open, code after": Tale(
        "open", "code_refused", CODE_AFTER, back_from="request_code", measured={"onprem_registration": "open"}
    ),
    "open, back by restore": Tale("open", "verified", after=BACK),
    "open, back by code": Tale("open", "verified", after=BACK, switches={"restore_registers": "never"}),
    "open, recovery": Tale("open", "dark", HOOK, after=FORWARD),
    "closing, with backup": Tale("closing", "verified", back_from="confirm"),
    "closing, never verified": Tale("closing", "healthy"),
    "closing, code first": Tale("closing", "no_backup", back_from="register"),
    "closing, code after": Tale("closing", "code_refused", CODE_AFTER, back_from="request_code"),
    "closing, dark": Tale("closing", "dark", HOOK),
    "closing, onboard": Tale("closing", "new", HOOK),
    "closing, back and forward again": Tale("closing", "verified", after=BACK, back_from="read_both_sides"),
    "closing, recovery": Tale("closing", "dark", HOOK, after=FORWARD),
    "after-sunset, expired": Tale("after-sunset", "expired"),
    "after-sunset, host gone": Tale("after-sunset", "host_gone"),
    "after-sunset, dark": Tale("after-sunset", "dark", HOOK),
    "after-sunset, recovery": Tale("after-sunset", "dark", HOOK, after=FORWARD),
}

# One of each world, for every day; the first of them also killed at every step, the others so by `make test-slow`. All
# tales are told and killed by `make crash`.
EVERY_DAY = ("open, with backup", "closing, back and forward again", "after-sunset, expired")

# Interrupted in the middle of a step too: one cutover in one call, one in two, one with a code in between.
IN_THE_MIDDLE = ("open, with backup", "closing, code first", "after-sunset, expired")


async def each_step(rig: Rig, tale: Tale) -> AsyncIterator[Position]:
    """The rig as it stands at every step of the tale in turn, and at its end; no worker is open on it then."""
    async with rig.worker() as app:
        at = await _at_the_first(rig, app, tale)
    while True:
        yield at
        if at.ended_at is not None:
            return
        async with rig.worker() as app:
            at = await _one_step_on(rig, app, at)


async def _at_the_first(rig: Rig, app: App, tale: Tale) -> Position:
    for name, value in tale.measured.items():
        await app.ledger.facts.state(name, value, "tried on one number", "tester")
    (at,) = await rig.imported(app, **tale.columns)
    if tale.after == BACK:
        await rig.drive(app, at.ref)
        return await back_to_onprem(app, await read_rollback_assessment(app, at.ref), "tester")
    if tale.after == FORWARD:
        return await recover_forward(app, at.ref, "it is dark", "tester")
    return at


async def _one_step_on(rig: Rig, app: App, before: Position) -> Position:
    for _ in range(100):
        outcome = await app.runner.run_step(before.migration_id)
        at = await app.queries.position(before.migration_id)
        if (at.itinerary, at.next_step) != (before.itinerary, before.next_step):
            return at
        assert isinstance(outcome, Waiting), f"stopped at {at.next_step}: {outcome}"
        if outcome.on is not Party.CUSTOMER or not await rig.type_code(app, at):
            rig.clock.advance(max((outcome.until - rig.clock.now()).total_seconds(), 0.1))
    raise AssertionError(f"never left {before.next_step}")
