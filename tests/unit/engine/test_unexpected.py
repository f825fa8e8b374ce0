"""An exception that nobody expects, at each await of `run_next`.

No exception leaves, the number is blocked with an internal-error page, nothing more is sent, and an attempt that was
open stays open.
"""

import asyncio
import json
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from migration.clients.traffic_hooks import HookDone
from migration.errors import OutcomeUnknown, Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Blocked
from state.enums import Side, Status
from tests.harness.engine_in_memory import SECRETS, EngineInMemory, at_register
from tests.harness.fake_clients import FakeGraph, FakeHooks, FakeOnPrem
from tests.harness.hand_made_number import ON_CLOUD, ON_PREMISE, REFUSED, REGISTERED_NOWHERE, SERVING, UNREACHABLE

NOT_VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "NOT_VERIFIED"})
# Calls that change something outside the process.
SENT = {
    *(f"graph.{call}" for call in ("register", "deregister", "request_code", "verify_code", "set_pin", "subscribe")),
    *("onprem.set_two_step", "onprem.backup", "hooks.announce", "commands.run"),
}


def first_register() -> EngineInMemory:
    return at_register()


def refused_register() -> EngineInMemory:
    return at_register(register=Rejected("Graph: 133005", 133005, SafeText("PIN mismatch")))


def register_without_an_answer() -> EngineInMemory:
    return at_register(cloud=[ON_PREMISE, ON_CLOUD], reading=[SERVING, REFUSED], register=OutcomeUnknown("no answer"))


def settled_register() -> EngineInMemory:
    engine = at_register(cloud=ON_CLOUD, reading=REFUSED, side=Side.UNKNOWN)
    engine.open({"onprem_before": "serving"})
    return engine


def repeated_register() -> EngineInMemory:
    engine = EngineInMemory(
        "register",
        "FORWARD_RECOVERY",
        graph=FakeGraph(number=REGISTERED_NOWHERE),
        onprem=FakeOnPrem(reading=UNREACHABLE),
        secrets=SECRETS,
        side=Side.UNKNOWN,
    )
    engine.open({"onprem_before": "unreachable"})
    engine.row.intent_secrets[1] = {"pin": SecretStr("112233")}
    engine.clock.advance(116)
    engine.find_all_inputs()
    return engine


def register_without_budget() -> EngineInMemory:
    engine = at_register()
    engine.row.budget_left = False
    return engine


def reading_of_both_sides() -> EngineInMemory:
    return EngineInMemory("confirm", graph=FakeGraph(number=ON_CLOUD), onprem=FakeOnPrem(reading=REFUSED))


def pin_that_is_set() -> EngineInMemory:
    return EngineInMemory("secure_pin", graph=FakeGraph(number=ON_PREMISE), onprem=FakeOnPrem(reading=SERVING))


def backup_that_is_taken() -> EngineInMemory:
    return EngineInMemory("back_up", onprem=FakeOnPrem(reading=SERVING, backup=SecretStr("blob")))


def code_that_is_verified() -> EngineInMemory:
    return EngineInMemory("verify_code", "CODE_FIRST", graph=FakeGraph(number=NOT_VERIFIED), code="123456")


def client_that_is_stopped() -> EngineInMemory:
    return EngineInMemory(
        "deregister_onprem", "CODE_FIRST", graph=FakeGraph(number=ON_PREMISE), onprem=FakeOnPrem(reading=SERVING)
    )


def senders_that_are_paused() -> EngineInMemory:
    return EngineInMemory("pause_sends", hooks=FakeHooks(announce=HookDone()))


SCENARIOS: dict[str, Callable[[], EngineInMemory]] = {
    make.__name__: make
    for make in (
        first_register,
        refused_register,
        register_without_an_answer,
        settled_register,
        repeated_register,
        register_without_budget,
        reading_of_both_sides,
        pin_that_is_set,
        backup_that_is_taken,
        code_that_is_verified,
        client_that_is_stopped,
        senders_that_are_paused,
    )
}


def awaits_of(scenario: str) -> list[str]:
    """The awaited calls of one pass where nothing unexpected happens."""
    engine = SCENARIOS[scenario]()
    asyncio.run(engine.run())
    return engine.journal.entries


AWAITS = {scenario: awaits_of(scenario) for scenario in SCENARIOS}
CASES = [
    pytest.param(scenario, place, id=f"{scenario}-{place}-{call}")
    for scenario, calls in AWAITS.items()
    for place, call in enumerate(calls, start=1)
]
# Kinds and not instances: one exception that is raised in every test would drag all their tracebacks along.
KINDS = pytest.mark.parametrize("kind", [KeyError, RuntimeError])


def test_the_scenarios_reach_every_await_of_a_pass() -> None:
    """Of the executor, its parts, and the clients that the steps of the scenarios use."""
    assert {call for calls in AWAITS.values() for call in calls} >= {
        *("leases.acquire", "attempts.open", "moves.record", "numbers.of", "queries.now"),
        *("positions.get", "records.open_attempt", "gate.why_closed", "gate.budget_spent"),
        *("secret_store.seal", "secret_store.shelve", "secret_store.seal_intent", "secret_store.open_intent"),
        *("secrets.open", "secrets.open_code", "graph.number", "graph.register", "graph.verify_code"),
        *("onprem.reading", "onprem.backup", "onprem.set_two_step", "hooks.announce", "commands.run"),
    }


@KINDS
@pytest.mark.parametrize(("scenario", "place"), CASES)
async def test_it_blocks_its_number_with_an_internal_error_page(
    scenario: str, place: int, kind: type[Exception]
) -> None:
    engine = SCENARIOS[scenario]()
    attempt_before = engine.row.open_attempt
    engine.journal.raise_at(place, kind("nobody expects this"))
    outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert "internal-error" in outcome.runbook
    if place > 1:  # with a lease the block is on record
        assert engine.row.position.status is Status.BLOCKED
        assert engine.row.position.runbook == outcome.runbook
    assert not SENT & set(engine.journal.entries[place:])
    # What was open stays open, and so does an intent that this very pass committed: its call may have had its effect.
    if engine.row.intents:
        assert engine.row.open_attempt is not None
        assert engine.row.attempts[-1]["ended"] is None
    else:
        assert engine.row.open_attempt is attempt_before


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt])
@pytest.mark.parametrize(("scenario", "place"), CASES)
async def test_a_worker_that_is_stopped_is_no_unexpected_error(
    scenario: str, place: int, kind: type[BaseException]
) -> None:
    """It leaves `run_next`, and the attempt stays open for whoever comes next."""
    engine = SCENARIOS[scenario]()
    engine.journal.raise_at(place, kind("nobody expects this"))
    with pytest.raises(kind):
        await engine.run()
    assert engine.row.position.status is not Status.BLOCKED
    assert not SENT & set(engine.journal.entries[place:])
    if engine.row.intents:
        assert engine.row.open_attempt is not None


@pytest.mark.parametrize(
    "columns", [{"next_step": "request_code"}, {"itinerary": "SIDEWAYS"}, {"next_step": None}], ids=str
)
async def test_a_row_that_names_what_does_not_exist_blocks_its_number(columns: dict[str, str | None]) -> None:
    engine = at_register()
    engine.row.update(**columns)
    outcome = await engine.run()
    assert isinstance(outcome, Blocked)
    assert "internal-error" in outcome.runbook


async def test_a_backup_that_cannot_be_read_back_blocks_its_number() -> None:
    engine = at_register()
    engine.row.secrets["backup"] = json.dumps({"data": "blob"})[:-3]
    assert isinstance(await engine.run(), Blocked)
