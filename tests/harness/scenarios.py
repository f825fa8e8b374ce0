"""Numbers in the middle of a migration, in each of the three worlds, to be interrupted at every step."""

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
from tests.harness.copier import HarnessCopier
from tests.harness.in_process import Harness

HOOK = {"hook": "senders"}
WITH_CLIENT = HOOK | {"start_command": "start"}
CODE_AFTER = WITH_CLIENT | {"itinerary": "CODE_AFTER"}
BACK, FORWARD = "back", "forward"


@dataclass(frozen=True)
class Scenario:
    """One number, and the itinerary that it takes when nothing interrupts it.

    world: of the sandbox. kind: of the sandbox's number. columns: of its inventory row.
    after: requested before the first step of the scenario: BACK, FORWARD, or nothing.
    rollback_from: the first step at which a rollback is offered; None: it is never offered.
    field_facts: name and value, recorded before the import. switches: of the sandbox.
    """

    world: str
    kind: str
    columns: dict[str, str] = field(default_factory=lambda: WITH_CLIENT)
    after: str = ""
    rollback_from: str | None = None
    field_facts: dict[str, str] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)

    def offers_rollback(self, position: Position) -> bool:
        if position.next_step is None or self.rollback_from is None:
            return self.rollback_from is not None
        steps = [entry.name for entry in itinerary_named(position.itinerary).steps]
        return self.rollback_from in steps and steps.index(position.next_step) >= steps.index(self.rollback_from)

    async def build(self, copier: HarnessCopier) -> Harness:
        return await copier.build(kinds=[self.kind], world=self.world, switches=self.switches)


SCENARIOS = {
    "open, with backup": Scenario("open", "verified", rollback_from="confirm"),
    "open, with a backup that registers nothing": Scenario(
        "open", "verified", rollback_from="confirm", switches={"restore_registers": "never"}
    ),
    "open, code first": Scenario("open", "no_backup", rollback_from="register"),
    "open, code after": Scenario(
        "open",
        "code_refused",
        CODE_AFTER,
        rollback_from="request_code",
        field_facts={"onprem_registration": "open"},
    ),
    "open, back by restore": Scenario("open", "verified", after=BACK),
    "open, back by code": Scenario("open", "verified", after=BACK, switches={"restore_registers": "never"}),
    "open, recovery": Scenario("open", "dark", HOOK, after=FORWARD),
    "closing, with backup": Scenario("closing", "verified", rollback_from="confirm"),
    "closing, never verified": Scenario("closing", "healthy"),
    "closing, code first": Scenario("closing", "no_backup", rollback_from="register"),
    "closing, code after": Scenario("closing", "code_refused", CODE_AFTER, rollback_from="request_code"),
    "closing, dark": Scenario("closing", "dark", HOOK),
    "closing, onboard": Scenario("closing", "new", HOOK),
    "closing, back and forward again": Scenario("closing", "verified", after=BACK, rollback_from="read_both_sides"),
    "closing, recovery": Scenario("closing", "dark", HOOK, after=FORWARD),
    "after-sunset, expired": Scenario("after-sunset", "expired"),
    "after-sunset, host gone": Scenario("after-sunset", "host_gone"),
    "after-sunset, dark": Scenario("after-sunset", "dark", HOOK),
    "after-sunset, recovery": Scenario("after-sunset", "dark", HOOK, after=FORWARD),
}

# `make test` runs one scenario of each world, the first of them with crashes too; `make test-slow` runs a part of the
# others and of their crashes, `make all-cases` all of both.
DAILY_SCENARIOS = ("open, with backup", "closing, back and forward again", "after-sunset, expired")

# Interrupted in the middle of a step too: a cutover of one call, one of two calls, and one with a code in between.
MID_STEP_SCENARIOS = ("open, with backup", "closing, code first", "after-sunset, expired")


async def each_step(harness: Harness, scenario: Scenario) -> AsyncIterator[Position]:
    """Stop before every step of the scenario in turn, and at its end. No worker is open on the harness then."""
    async with harness.worker() as app:
        position = await first_position(harness, app, scenario)
    while True:
        yield position
        if position.ended_at is not None:
            return
        async with harness.worker() as app:
            position = await _run_one_step(harness, app, position)


async def first_position(harness: Harness, app: App, scenario: Scenario) -> Position:
    """The number at the first step of the scenario."""
    for name, value in scenario.field_facts.items():
        await app.ledger.field_facts.record(name, value, "tried on one number", "tester")
    (position,) = await harness.import_numbers(app, **scenario.columns)
    if scenario.after == BACK:
        await harness.run_number(app, position.ref)
        return await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
    if scenario.after == FORWARD:
        return await recover_forward(app, position.ref, "it is dark", "tester")
    return position


async def _run_one_step(harness: Harness, app: App, before: Position) -> Position:
    for _ in range(100):
        outcome = await app.runner.run_step(before.migration_id)
        position = await app.queries.positions.get(before.migration_id)
        if (position.itinerary, position.next_step) != (before.itinerary, before.next_step):
            return position
        assert isinstance(outcome, Waiting), f"stopped at {position.next_step}: {outcome}"
        if outcome.on is not Party.CUSTOMER or not await harness.enter_newest_code(app, position):
            harness.clock.advance(max((outcome.until - harness.clock.now()).total_seconds(), 0.1))
    raise AssertionError(f"never left {before.next_step}")
