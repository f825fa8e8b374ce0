"""What arrives, and what shows its effect, while a worker is at a number."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from migration.clients.commands import CommandResult
from migration.errors import CredentialsRefused, OutcomeUnknown, Rejected, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Waiting
from state.enums import PinProvenance, Side, Status
from state.errors import Conflict
from state.ledger import changes as c
from state.rows import FindingRow
from tests.harness.engine_in_memory import SECRETS, EngineInMemory, at_register
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    REGISTERED_NOWHERE,
    SERVING,
    UNREACHABLE,
    make_instance,
)

NOT_VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "NOT_VERIFIED"})
LAG = timedelta(seconds=60)


# -- a wait that ended meanwhile


def code_while_it_is_looked_for() -> EngineInMemory:
    engine = EngineInMemory("verify_code", "CODE_FIRST", graph=FakeGraph(number=NOT_VERIFIED))
    engine.row.results["request_code"] = FindingRow("request_code", NOW, {"asked": 1, "asked_at": NOW.isoformat()})
    engine.journal.during("graph.number", lambda: engine.type_code("123456"))
    return engine


def pin_while_it_is_looked_for() -> EngineInMemory:
    engine = at_register(pin_provenance=None)

    def hand_in_the_pin() -> None:
        engine.row.update(pin_provenance=PinProvenance.HANDED_IN)
        engine.raise_version()

    engine.journal.during("gate.why_closed", hand_in_the_pin)
    return engine


def release_while_the_gate_is_read() -> EngineInMemory:
    engine = at_register()
    engine.row.gate = "the number is on hold"

    def release() -> None:
        engine.row.gate = None
        engine.raise_version()

    engine.journal.during("moves.record", release)
    return engine


def statement_while_the_client_is_read() -> EngineInMemory:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_AFTER",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=UNREACHABLE),
        instance=make_instance(stop_command=None),
    )

    def state_that_it_is_off() -> None:
        engine.row.update(onprem_off_stated_by="ana", onprem_off_stated_at=NOW)
        engine.raise_version()

    engine.journal.during("onprem.reading", state_that_it_is_off)
    return engine


MEANWHILE: dict[str, Callable[[], EngineInMemory]] = {
    make.__name__: make
    for make in (
        code_while_it_is_looked_for,
        pin_while_it_is_looked_for,
        release_while_the_gate_is_read,
        statement_while_the_client_is_read,
    )
}


@pytest.mark.parametrize("case", MEANWHILE)
async def test_what_arrived_meanwhile_is_seen_in_the_same_pass(case: str) -> None:
    engine = MEANWHILE[case]()
    assert await engine.run() == Advanced(engine.row.moves[-1].step)


async def test_a_code_that_is_typed_in_during_the_check_is_given_to_meta_at_once() -> None:
    engine = code_while_it_is_looked_for()
    await engine.run()
    await engine.run()
    assert [str(call.name) for call in engine.graph.script.calls][-1] == "verify_code"


# -- a refusal that had its effect


def answered_although_it_worked(answer: Exception, shows_after: float, **more: Any) -> EngineInMemory:
    """`register` works, is answered otherwise, and Graph shows it only after so many seconds."""
    engine = at_register(register=answer, reading=[SERVING, NOT_SERVING], **more)
    called: list[None] = []
    engine.journal.during("graph.register", lambda: called.append(None))
    shows = NOW + timedelta(seconds=shows_after)
    engine.graph.script.answers_with(
        "number",
        lambda: ON_CLOUD if called and engine.now() >= shows else DISCONNECTED if called else ON_PREMISE,
    )
    return engine


async def run_with_fresh_inputs(engine: EngineInMemory, passes: int = 100) -> Outcome:
    """As a runner does, but every stale input counts as done again at once."""
    outcome = await engine.run()
    for _ in range(passes):
        if isinstance(outcome, Advanced | Blocked):
            break
        if isinstance(outcome, Waiting):
            engine.clock.advance(max((outcome.until - engine.now()).total_seconds(), 0.0))
        engine.row.update(next_step="register")
        engine.find_all_inputs()
        outcome = await engine.run()
    return outcome


UNAVAILABLE = Transient("Graph: 131016", True)


@pytest.mark.parametrize("shows_after", [3, 30, 59])
async def test_a_register_that_worked_and_was_refused_is_not_sent_again(shows_after: float) -> None:
    engine = answered_although_it_worked(UNAVAILABLE, shows_after)
    assert await run_with_fresh_inputs(engine) == Advanced("register")
    assert engine.graph.script.names().count("register") == 1


@pytest.mark.parametrize("error_code", [133000, 133004, 131000])
@pytest.mark.parametrize("shows_after", [3, 59])
async def test_a_register_that_worked_and_was_rejected_is_not_blocked(error_code: int, shows_after: float) -> None:
    engine = answered_although_it_worked(
        Rejected(f"Graph: {error_code}", error_code, SafeText("try again")), shows_after
    )
    assert await run_with_fresh_inputs(engine) == Advanced("register")
    assert engine.graph.script.names().count("register") == 1


@pytest.mark.parametrize("error_code", [190, 10])
async def test_a_register_that_worked_and_was_refused_for_its_token_is_settled_when_the_profile_goes_on(
    error_code: int,
) -> None:
    """Graph cannot be asked; the client is off. Senders that were let go on would send to a dead side."""
    refused = CredentialsRefused(f"Graph: {error_code}", error_code, SafeText("expired"))
    engine = answered_although_it_worked(refused, 3)
    assert isinstance(await engine.run(), Held)
    assert engine.row.position.side is Side.UNKNOWN
    assert engine.row.attempts[-1]["ended"] is None
    engine.clock.advance(3600)
    engine.row.update(profile_halted_at=None, status=Status.READY)
    assert await engine.run() == Advanced("register")
    assert (engine.graph.script.names().count("register"), engine.row.position.side) == (1, Side.CLOUD)


@pytest.mark.parametrize("error_code", [190, 10])
async def test_a_register_of_a_dark_number_that_was_refused_for_its_token_is_not_sent_again(error_code: int) -> None:
    """Nothing serves it, so nothing shows that the call had no effect; reads may lag when the profile goes on."""
    refused = CredentialsRefused(f"Graph: {error_code}", error_code, SafeText("expired"))
    engine = EngineInMemory(
        "register",
        "FORWARD_RECOVERY",
        graph=FakeGraph(register=refused),
        onprem=FakeOnPrem(reading=REFUSED),
        secrets=SECRETS,
        side=Side.NEITHER,
    )
    called: list[None] = []
    engine.journal.during("graph.register", lambda: called.append(None))
    shows = NOW + timedelta(seconds=50)
    engine.graph.script.answers_with(
        "number", lambda: ON_CLOUD if called and engine.now() >= shows else REGISTERED_NOWHERE
    )
    assert isinstance(await engine.run(), Held)
    engine.clock.advance(5)
    engine.row.update(profile_halted_at=None, status=Status.READY)
    assert await run_with_fresh_inputs(engine) == Advanced("register")
    assert (engine.graph.script.names().count("register"), engine.row.position.side) == (1, Side.CLOUD)


@pytest.mark.parametrize("error_code", [100, 136025])
async def test_a_code_that_was_taken_although_it_was_refused_is_not_asked_for_again(error_code: int) -> None:
    refused = Rejected(f"Graph: {error_code}", error_code, SafeText("no"))
    verified = ON_PREMISE.model_copy(update={"code_verification_status": "VERIFIED"})
    graph = FakeGraph(number=[ON_PREMISE, verified], verify_code=refused)
    engine = EngineInMemory("verify_code", "CODE_FIRST", graph=graph, onprem=FakeOnPrem(reading=SERVING), code="905417")
    assert await engine.run() == Advanced("verify_code")


@pytest.mark.parametrize(
    "answer", [UNAVAILABLE, Rejected("Graph: 133004", 133004, SafeText("x")), OutcomeUnknown("no answer")]
)
async def test_an_effect_that_shows_at_once_ends_the_step(answer: Exception) -> None:
    engine = answered_although_it_worked(answer, 0)
    assert await engine.run() == Advanced("register")
    assert engine.row.position.side is Side.CLOUD


async def test_a_client_that_still_serves_is_believed_only_once_reads_can_lag_no_more() -> None:
    """Both readings lag: the client reports itself connected, and Graph shows what was true before."""
    engine = at_register(register=OutcomeUnknown("no answer"))
    shows = NOW + timedelta(seconds=55) + LAG / 2
    engine.graph.script.answers_with("number", lambda: ON_CLOUD if engine.now() >= shows else ON_PREMISE)
    assert engine.onprem is not None
    engine.onprem.script.answers_with("reading", lambda: REFUSED if engine.now() >= shows else SERVING)
    assert await run_with_fresh_inputs(engine) == Advanced("register")
    assert engine.graph.script.names().count("register") == 1


@pytest.mark.parametrize("shows_after", [3, 59])
async def test_a_deregister_that_worked_and_was_refused_is_not_sent_again(shows_after: float) -> None:
    verified = ON_CLOUD.model_copy(update={"code_verification_status": "VERIFIED"})
    engine = EngineInMemory(
        "deregister_cloud",
        "BACK_TO_ONPREM",
        graph=FakeGraph(deregister=UNAVAILABLE),
        onprem=FakeOnPrem(reading=REFUSED),
        secrets=SECRETS,
        side=Side.CLOUD,
    )
    called: list[None] = []
    engine.journal.during("graph.deregister", lambda: called.append(None))
    shows = NOW + timedelta(seconds=shows_after)
    engine.graph.script.answers_with("number", lambda: DISCONNECTED if called and engine.now() >= shows else verified)
    outcome = await engine.run()
    for _ in range(100):
        if not isinstance(outcome, Waiting):
            break
        engine.clock.advance(max((outcome.until - engine.now()).total_seconds(), 0.0))
        engine.find_all_inputs()
        outcome = await engine.run()
    assert outcome == Advanced("deregister_cloud")
    assert engine.graph.script.names().count("deregister") == 1


@pytest.mark.parametrize("reading", [REFUSED, NOT_SERVING])
async def test_a_stop_command_that_failed_although_it_worked_is_settled_by_the_proof(reading: Any) -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_FIRST",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=[SERVING, reading]),
        commands=FakeCommands(run=CommandResult(False, SafeText("exit 52: empty reply from server"))),
    )
    assert await engine.run_until_it_ends() == Advanced("deregister_onprem")
    assert engine.commands.script.names() == ["run"]


# -- a stale replica


@pytest.mark.parametrize("stale", [REGISTERED_NOWHERE, DISCONNECTED, ON_PREMISE])
async def test_the_fence_after_register_never_writes_that_a_number_is_on_neither_side(stale: Any) -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "WITH_BACKUP",
        graph=FakeGraph(number=stale),
        onprem=FakeOnPrem(reading=REFUSED),
        side=Side.CLOUD,
    )
    engine.row.notes["deregister_onprem"] = FindingRow("deregister_onprem", NOW, {"stopped_at": NOW.isoformat()})
    assert await engine.run() == Advanced("deregister_onprem", ended=True)
    assert not [change for move in engine.row.moves for change in move.changes if isinstance(change, c.SideRead)]
    assert engine.row.position.side is Side.CLOUD


async def test_a_number_that_is_blocked_is_left_alone_also_where_what_it_waited_for_has_come() -> None:
    """Whoever enters a code reopens it; a run by itself does not."""
    engine = at_register(pin_provenance=None)
    assert isinstance(await engine.run(), Blocked)
    engine.row.update(pin_provenance=PinProvenance.HANDED_IN)
    with pytest.raises(Conflict):
        await engine.run()
