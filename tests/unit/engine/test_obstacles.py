"""When the same call may be made again after it was refused."""

from datetime import timedelta

from migration.errors import CredentialsRefused, Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Held, Reopen, Waiting
from state.enums import AttemptEnd, Party, PinProvenance, Side, Status
from tests.harness.engine_in_memory import SECRETS, EngineInMemory, at_register
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import NOT_SERVING, NOW, REGISTERED_NOWHERE

LAG = timedelta(seconds=60)


def put_back(engine: EngineInMemory) -> None:
    """The number is at `register` again, whatever sent it elsewhere."""
    engine.row.update(next_step="register", status=Status.READY, waiting_until=None, runbook=None, reason=None)
    engine.find_all_inputs()


async def test_the_same_call_waits_until_readings_can_show_what_the_last_one_did() -> None:
    engine = EngineInMemory(
        "register",
        "CODE_FIRST",
        graph=FakeGraph(
            number=REGISTERED_NOWHERE, register=[Rejected("Graph: 133006", 133006, SafeText("verify it again")), None]
        ),
        onprem=FakeOnPrem(reading=NOT_SERVING),
        secrets=SECRETS,
        side=Side.NEITHER,
        crossed_at=NOW,
    )
    assert isinstance(await engine.run(), Reopen)  # at once: another step is next
    put_back(engine)
    engine.clock.advance(10)
    waiting = Waiting(NOW + LAG, Party.META, "readings may lag behind the call that was refused")
    assert await engine.run() == waiting
    engine.clock.advance(50)
    engine.find_all_inputs()
    assert await engine.run() == Advanced("register")
    assert engine.graph.script.names().count("register") == 2


async def test_a_call_whose_token_was_refused_may_be_made_again_at_once() -> None:
    engine = at_register(register=[CredentialsRefused("Graph: 190", 190, SafeText("expired")), None])
    assert isinstance(await engine.run(), Held)
    engine.row.update(profile_halted_at=None)
    put_back(engine)
    assert await engine.run() == Advanced("register")


async def test_a_refusal_that_was_kept_counts_from_when_it_came() -> None:
    engine = at_register(register=[Rejected("Graph: 133005", 133005, SafeText("PIN mismatch")), None])
    outcome = await engine.run_until_it_ends()
    assert isinstance(outcome, Blocked)
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.REFUSED
    put_back(engine)
    engine.row.update(pin_provenance=PinProvenance.HANDED_IN)
    assert await engine.run() == Advanced("register")
