"""No second call leaves before the first one's deadline, the lag of readings, and a reading that shows nothing of it.

One that is held up on its way would otherwise take effect after the one that followed it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import Profile, StorageSettings
from migration.engine.itineraries import ITINERARIES, ItineraryName, itinerary_named
from migration.errors import OutcomeUnknown, Rejected, Transient
from migration.scrubbing.texts import as_safe
from migration.steps.code_requests import COOL_DOWN
from migration.steps.outcomes import Blocked, Waiting
from migration.steps.protocol import AFTER_COMMAND, READS_LAG
from state.enums import Promise
from state.rows import FindingRow
from tests.harness.engine_in_memory import BACKUP, SECRETS, EngineInMemory
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import NOT_SERVING, NOW, ON_CLOUD, ON_PREMISE, SERVING

SEND_WITHIN = timedelta(seconds=5)
PAGE = "runbooks/unknown-outcome.md"


@dataclass
class Case:
    itinerary: str
    call: str  # `graph.NAME` or `onprem.NAME`
    lag: timedelta
    answers: dict[str, Any] = field(default_factory=dict)  # of Graph
    onprem: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


STALE = "PIN and pause have to be renewed before it"
REFUSED = "a code that was refused is typed in anew"
ONCE = "a message may have gone out all the same"
NOT_AGAIN = {"register": STALE, "verify_code": REFUSED, "verify_code_onprem": REFUSED, "send_smoke": ONCE}
OPTIONAL = {entry.name for entry in ITINERARIES[ItineraryName.WITH_BACKUP].steps if entry.optional}
# A lost answer counts as sent.
AT_MOST_ONCE = {"request_code", "request_code_onprem", "send_smoke"}
VERIFIED = ON_CLOUD.model_copy(update={"code_verification_status": "VERIFIED"})
SERVES, AWAY = {"reading": SERVING}, {"reading": NOT_SERVING}
CASES = {
    "secure_pin": Case("WITH_BACKUP", "onprem.set_two_step", READS_LAG, {"number": ON_PREMISE}, SERVES),
    "set_storage": Case(
        "WITH_BACKUP",
        "graph.set_storage",
        READS_LAG,
        {"settings": StorageSettings.model_validate({}), "number": ON_PREMISE},
        more={"storage_region": "BR"},
    ),
    "subscribe": Case("WITH_BACKUP", "graph.subscribe", READS_LAG, {"subscribed_apps": (), "number": ON_PREMISE}),
    "verify_code": Case(
        "CODE_FIRST", "graph.verify_code", READS_LAG, {"number": ON_PREMISE}, SERVES, {"code": "905417"}
    ),
    "register": Case("WITH_BACKUP", "graph.register", READS_LAG, {"number": ON_PREMISE}, SERVES, {"secrets": SECRETS}),
    "restore_profile": Case("WITH_BACKUP", "graph.set_profile", READS_LAG, {"profile": Profile(), "number": ON_CLOUD}),
    "deregister_cloud": Case(
        "BACK_TO_ONPREM", "graph.deregister", READS_LAG, {"number": VERIFIED}, AWAY, {"secrets": SECRETS}
    ),
    "request_code": Case("CODE_FIRST", "graph.request_code", COOL_DOWN, {"number": ON_PREMISE}, SERVES),
    "request_code_onprem": Case(
        "BACK_TO_ONPREM",
        "onprem.request_code",
        COOL_DOWN,
        {"number": ON_PREMISE, "certificate": "cert"},
        AWAY,
        {"secrets": SECRETS},
    ),
    "send_smoke": Case(
        "WITH_BACKUP", "graph.send_template", READS_LAG, {"number": ON_CLOUD}, more={"smoke_to": "+15550109999"}
    ),
    "restore_onprem": Case(
        "BACK_TO_ONPREM",
        "onprem.restore",
        AFTER_COMMAND,
        {"number": ON_PREMISE},
        AWAY,
        {"secrets": {"backup": BACKUP}},
    ),
    "verify_code_onprem": Case(
        "BACK_TO_ONPREM", "onprem.verify_code", AFTER_COMMAND, {"number": ON_PREMISE}, AWAY, {"code": "905417"}
    ),
}


def engine_of(step: str, answer: Exception) -> tuple[EngineInMemory, list[datetime]]:
    """An engine whose call at this step is always answered so, and the times at which it was made."""
    case = CASES[step]
    owner, _, call = case.call.partition(".")
    graph = FakeGraph(**case.answers, **({call: answer} if owner == "graph" else {}))
    onprem = FakeOnPrem(**case.onprem, **({call: answer} if owner == "onprem" else {})) if case.onprem else None
    engine = EngineInMemory(step, case.itinerary, graph=graph, onprem=onprem, **case.more)
    engine.row.results["snapshot"] = FindingRow("snapshot", NOW, {"profile": {"about": "Hello"}})
    sent: list[datetime] = []

    def note(name: str) -> None:
        if name == case.call:
            sent.append(engine.now())

    for fake in (graph, onprem):
        if fake is not None:
            fake.script.listeners.append(note)
    return engine, sent


async def run_until(engine: EngineInMemory, enough: Callable[[], bool]) -> None:
    for _ in range(200):
        outcome = await engine.run()
        if enough() or not isinstance(outcome, Waiting):
            return
        engine.clock.advance(max((outcome.until - engine.now()).total_seconds(), 0.0))


def longest_call(step: str) -> timedelta:
    return itinerary_named(CASES[step].itinerary).at(step).step.contract.longest_call + SEND_WITHIN


@pytest.mark.parametrize("step", CASES)
async def test_after_a_lost_answer(step: str) -> None:
    engine, sent = engine_of(step, OutcomeUnknown("no answer"))
    await run_until(engine, lambda: len(sent) >= 2)
    if step in {"register", "deregister_cloud", *AT_MOST_ONCE}:
        assert len(sent) == 1, STALE
        return
    assert len(sent) == 2, "the call is made again"
    assert sent[1] - sent[0] >= longest_call(step) + CASES[step].lag


@pytest.mark.parametrize("step", CASES)
async def test_after_a_worker_that_was_killed(step: str) -> None:
    engine, sent = engine_of(step, OutcomeUnknown("no answer"))
    facts = {"route": "onprem", "region": "BR", "changes": {"about": "Hello"}, "has_backup": True}
    engine.open(facts | {"onprem_before": "serving"})
    began = engine.now()
    await run_until(engine, lambda: len(sent) >= 1)
    assert all(at - began >= longest_call(step) + CASES[step].lag for at in sent)
    if step in ("set_storage", "subscribe", "restore_profile"):  # the others need their sealed secrets
        assert len(sent) == 1, "the call is made again"


@pytest.mark.parametrize("step", CASES)
async def test_after_a_refusal_that_says_that_the_service_was_not_available(step: str) -> None:
    engine, sent = engine_of(step, Transient("(#131016) service unavailable", answered=True))
    await run_until(engine, lambda: len(sent) >= 2)
    if step in NOT_AGAIN:
        assert len(sent) == 1, NOT_AGAIN[step]
        return
    assert len(sent) == 2, "the call is made again"
    assert sent[1] - sent[0] >= CASES[step].lag


@pytest.mark.parametrize("step", ["secure_pin", "set_storage", "subscribe", "verify_code", "restore_profile"])
async def test_a_call_that_is_never_answered_is_for_a_person_at_last(step: str) -> None:
    """It would be repeated for ever, every hundred seconds, and nobody would hear of it."""
    engine, sent = engine_of(step, OutcomeUnknown("a page of a gateway", True))
    outcome = await run_to_its_end(engine)
    assert isinstance(outcome, Blocked) or step in OPTIONAL
    assert len(sent) <= 5


async def run_to_its_end(engine: EngineInMemory) -> object:
    for _ in range(500):
        outcome = await engine.run()
        if not isinstance(outcome, Waiting):
            return outcome
        engine.clock.advance(max((outcome.until - engine.now()).total_seconds(), 0.0))
    return outcome


async def test_sides_that_disagree_after_a_lost_answer_are_read_every_ten_seconds_at_last_and_stop_the_number() -> None:
    """The client is off, and Graph shows nothing: the call arrived, and what it did is not known."""
    engine, sent = engine_of("register", OutcomeUnknown("no answer"))
    assert engine.onprem is not None
    engine.onprem.script.answers_with("reading", lambda: NOT_SERVING if sent else SERVING)
    waits: list[float] = []
    while isinstance(outcome := await engine.run(), Waiting):
        waits.append((outcome.until - engine.now()).total_seconds())
        engine.clock.advance(waits[-1])
    assert outcome == Blocked("register: the outcome is not known: On-Premises is down and Cloud is not up yet", PAGE)
    assert waits[0] == 2.0
    assert waits == sorted(waits)
    assert waits[-1] == 10.0
    assert len(sent) == 1


async def test_a_code_that_was_refused_keeps_nobody_who_types_another() -> None:
    refused = Rejected("(#136025) wrong code", 136025, as_safe("wrong code"))
    engine, sent = engine_of("verify_code", refused)
    await engine.run()
    engine.clock.advance(3.0)
    engine.type_code("112233")
    await run_until(engine, lambda: len(sent) >= 2)
    assert sent[1] - sent[0] <= timedelta(seconds=5)


def test_each_step_that_changes_something_at_a_far_side_has_a_lag() -> None:
    entries = {entry.name: entry for itinerary in ITINERARIES.values() for entry in itinerary.steps}
    changing = {
        name
        for name, entry in entries.items()
        if entry.step.contract.promise is not Promise.READ and not entry.step.contract.notifies_senders
    }
    without = {name for name in changing if not entries[name].step.contract.settles_after}
    assert without == {"back_up"}, "a backup changes nothing at the instance"
