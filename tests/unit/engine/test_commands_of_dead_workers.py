"""A command of a worker that is gone may run until its time is over; until then nothing is decided about the number."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.commands import CommandResult
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Advanced, Blocked, Outcome, Reopen, Waiting
from state.enums import AttemptEnd, Party
from state.rows import FindingRow
from tests.harness.engine_in_memory import EngineInMemory
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import NOT_SERVING, NOW, ON_PREMISE, REFUSED, REGISTERED_NOWHERE, SERVING

STEPS = {"deregister_onprem": "CODE_FIRST", "start_onprem": "BACK_TO_ONPREM"}
LIMIT_S = 20.0
# What may be written between the intent and the start, the limit of the command, and a margin.
ENDS = timedelta(seconds=5 + LIMIT_S + 5)


def killed_at(step: str, facts: dict[str, Any], reading: Any = REFUSED) -> EngineInMemory:
    """A worker was killed while its command ran; both sides show what a command that worked would leave."""
    reading = reading if step == "deregister_onprem" else SERVING
    engine = EngineInMemory(
        step, STEPS[step], graph=FakeGraph(number=REGISTERED_NOWHERE), onprem=FakeOnPrem(reading=reading)
    )
    engine.open({"command": "the-command", "onprem_before": "serving", **facts})
    return engine


@pytest.mark.parametrize("step", STEPS)
async def test_nothing_is_settled_before_the_time_of_the_command_is_over(step: str) -> None:
    engine = killed_at(step, {"limit_s": LIMIT_S})
    wait = Waiting(NOW + ENDS, Party.US, "a command of a worker that is gone may still run")
    assert await engine.run() == wait
    engine.clock.advance(ENDS.total_seconds() - 1)
    assert await engine.run() == wait
    assert engine.row.open_attempt is not None
    engine.clock.advance(1)
    assert isinstance(await engine.run(), Advanced)


@pytest.mark.parametrize("step", STEPS)
async def test_an_attempt_of_a_release_without_the_limit_waits_for_the_longest_call(step: str) -> None:
    engine = killed_at(step, {})
    outcome = await engine.run()
    assert isinstance(outcome, Waiting)
    assert outcome.until == NOW + timedelta(seconds=65)


@pytest.mark.parametrize("step", STEPS)
async def test_a_command_that_has_answered_is_settled_at_once(step: str) -> None:
    engine = killed_at(step, {"limit_s": LIMIT_S})
    answered = {"stopped_at": NOW.isoformat(), "started_at": NOW.isoformat(), "answered": f"1/{step}/1"}
    engine.row.notes[step] = FindingRow(step, NOW, answered)
    assert isinstance(await engine.run(), Advanced)


async def test_an_answer_to_an_earlier_attempt_is_none_to_this_one() -> None:
    engine = killed_at("deregister_onprem", {"limit_s": LIMIT_S})
    engine.row.notes["deregister_onprem"] = FindingRow(
        "deregister_onprem", NOW, {"stopped_at": NOW.isoformat(), "answered": "1/deregister_onprem/0"}
    )
    assert isinstance(await engine.run(), Waiting)


# -- the exit code is not the proof


async def run_to_the_end(engine: EngineInMemory) -> Outcome:
    """Where an input is too old, it is made anew, as the steps before would."""
    step = engine.row.position.next_step
    while isinstance(outcome := await engine.run_until_it_ends(), Reopen):
        engine.row.update(next_step=step, version=engine.row.position.version + 1)
        engine.find_all_inputs()
    return outcome


@pytest.mark.parametrize("exit_code", [1, 52, 56, 124, 137])
async def test_a_command_that_failed_and_worked_has_worked(exit_code: int) -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_FIRST",
        graph=FakeGraph(number=[ON_PREMISE, REGISTERED_NOWHERE]),
        onprem=FakeOnPrem(reading=[SERVING, NOT_SERVING]),
        commands=FakeCommands(run=CommandResult(False, SafeText(f"exit code {exit_code}: no words"))),
    )
    assert isinstance(await run_to_the_end(engine), Advanced)
    assert engine.commands.script.names().count("run") == 1


async def test_a_command_that_says_done_while_the_client_serves_comes_to_a_person() -> None:
    engine = EngineInMemory(
        "deregister_onprem",
        "CODE_FIRST",
        graph=FakeGraph(number=ON_PREMISE),
        onprem=FakeOnPrem(reading=SERVING),
        commands=FakeCommands(run=CommandResult(True, SafeText("done"))),
    )
    outcome = await run_to_the_end(engine)
    assert outcome == Blocked(
        "deregister_onprem: the command has run 3 times and nothing has changed", "runbooks/stop-by-hand.md"
    )
    assert engine.commands.script.names().count("run") == 3
    assert engine.row.attempts[-1]["ended"] is AttemptEnd.NOT_DONE
