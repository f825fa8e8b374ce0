"""The client is started by its named command, and again after a restore."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.commands import CommandResult
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, NotDone
from migration.steps.protocol import Step, StepContract
from migration.steps.start_onprem import RestartOnPrem, StartOnPrem
from state.enums import Promise
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    REFUSED,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    make_both,
    make_instance,
    make_intent,
    make_number,
    probe_repeatedly,
)

START: Step = StartOnPrem()
RESTART: Step = RestartOnPrem()
NO_COMMAND = make_instance(start_command=None)
INTENT = make_intent({"command": "start-client"})
STARTED = {"started_at": (NOW - timedelta(seconds=2)).isoformat()}
RESTORED = {"restore_onprem": {"restored": True}}


def number_with(reading: OnPremReading | list[Any], **more: Any) -> Number:
    return make_both(DISCONNECTED, reading, **more)


@pytest.mark.parametrize(("step", "name"), [(START, "start_onprem"), (RESTART, "restart_onprem")])
def test_contract(step: Step, name: str) -> None:
    assert step.contract == StepContract(
        name=name,
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=60),
        reads_lag=timedelta(seconds=10),
        runs_command=True,
    )


# -- starting


async def test_without_an_instance_there_is_nothing_to_start() -> None:
    assert await START.check(make_number(instance=None)) == Blocked(
        "the number has no On-Premises instance", "runbooks/way-back-closed.md"
    )


@pytest.mark.parametrize("reading", [SERVING, NOT_SERVING])
async def test_without_a_start_command_a_client_that_answers_passes(reading: OnPremReading) -> None:
    assert await START.check(number_with(reading, instance=NO_COMMAND)) is None


@pytest.mark.parametrize("reading", [REFUSED, UNREACHABLE])
async def test_without_a_start_command_a_client_that_is_silent_blocks(reading: OnPremReading) -> None:
    assert await START.check(number_with(reading, instance=NO_COMMAND)) == Blocked(
        "the client does not answer and no start command is named for it", "runbooks/rollback-number.md"
    )


async def test_with_a_start_command_nothing_stands_against_it_and_nothing_is_read() -> None:
    assert await START.check(make_number()) is None


@pytest.mark.parametrize("step", [START, RESTART])
async def test_the_draft_names_the_command(step: Step) -> None:
    assert await step.prepare(make_number()) == Draft({"command": "start-client", "limit_s": 30.0})
    assert await step.prepare(make_number(instance=NO_COMMAND)) == Draft({"command": None})
    assert await step.prepare(make_number(instance=None)) == Draft({"command": None})


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize("reading", [SERVING, NOT_SERVING])
async def test_a_client_that_answers_is_started(reading: OnPremReading, before_an_attempt: bool) -> None:
    probe = await START.probe(number_with(reading), None if before_an_attempt else INTENT)
    assert isinstance(probe, Done)
    assert (probe.evidence.facts["onprem"], probe.evidence.side) == (reading.kind, None)


@pytest.mark.parametrize("reading", [REFUSED, UNREACHABLE])
@pytest.mark.parametrize(("attempt", "note"), [(None, None), (None, STARTED), (INTENT, None)])
async def test_a_client_that_is_silent_has_to_be_started(
    reading: OnPremReading, attempt: Any, note: dict[str, str] | None
) -> None:
    probe = await START.probe(number_with(reading, notes={"start_onprem": note} if note else None), attempt)
    assert isinstance(probe, NotDone)
    assert (probe.side, probe.witnesses["onprem"]) == (None, reading.kind)


@pytest.mark.parametrize("reading", [REFUSED, UNREACHABLE])
async def test_a_client_that_was_started_is_given_time_to_answer(reading: OnPremReading) -> None:
    probe = await START.probe(number_with(reading, notes={"start_onprem": STARTED}), INTENT)
    assert probe == CannotTell(NOW + timedelta(seconds=2), f"started; On-Premises reads {reading.kind}")


async def test_serving_then_unreachable_then_serving() -> None:
    number = number_with([SERVING, UNREACHABLE, SERVING], notes={"start_onprem": STARTED})
    assert kinds(await probe_repeatedly(START, number, INTENT, 3)) == ["Done", "CannotTell", "Done"]


@pytest.mark.parametrize("step", [START, RESTART])
async def test_apply_runs_the_command_of_the_intent_once(step: Step) -> None:
    commands = FakeCommands()
    answer = await step.apply(make_number(commands=commands), make_intent({"command": "start-it"}))
    assert answer == CannotTell(
        NOW + timedelta(seconds=1),
        "started; it has to answer",
        {"started_at": NOW.isoformat(), "answered": make_intent().key},
    )
    assert commands.script.arguments("run") == [
        {"name": "start-it", "arguments": {"container": "wa-0001"}, "send_by": SEND_BY}
    ]


@pytest.mark.parametrize("step", [START, RESTART])
async def test_a_command_that_failed_is_a_refusal(step: Step) -> None:
    commands = FakeCommands(run=CommandResult(False, SafeText("exit 1")))
    with pytest.raises(Rejected) as caught:
        await step.apply(make_number(commands=commands), INTENT)
    assert (str(caught.value), caught.value.details) == ("the command start-client failed", "exit 1")


# -- starting again after a restore


async def test_a_restart_is_held_up_by_nothing() -> None:
    assert await RESTART.check(make_number(instance=NO_COMMAND)) is None


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize(
    "number",
    [
        number_with(SERVING, results=RESTORED),
        number_with(NOT_SERVING),
        number_with(NOT_SERVING, results={"restore_onprem": {"restored": False}}),
        number_with(NOT_SERVING, results=RESTORED, instance=NO_COMMAND),
        number_with(NOT_SERVING, results=RESTORED | {"restart_onprem": {"onprem": "serving"}}),
        number_with(NOT_SERVING, results=RESTORED, notes={"restart_onprem": STARTED}),
    ],
    ids=["it serves", "no restore", "nothing restored", "no start command", "restarted before", "started, and answers"],
)
async def test_a_restart_costs_nothing(number: Number, before_an_attempt: bool) -> None:
    assert isinstance(await RESTART.probe(number, None if before_an_attempt else INTENT), Done)


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE])
async def test_a_client_that_a_restore_stopped_is_started_again(
    reading: OnPremReading, before_an_attempt: bool
) -> None:
    probe = await RESTART.probe(number_with(reading, results=RESTORED), None if before_an_attempt else INTENT)
    assert isinstance(probe, NotDone)
    assert probe.witnesses["onprem"] == reading.kind


@pytest.mark.parametrize("reading", [REFUSED, UNREACHABLE])
async def test_a_client_that_was_restarted_is_given_time_to_answer(reading: OnPremReading) -> None:
    number = number_with(reading, results=RESTORED, notes={"restart_onprem": STARTED})
    assert isinstance(await RESTART.probe(number, INTENT), CannotTell)


async def test_a_restart_whose_client_comes_and_goes() -> None:
    number = number_with(
        [UNREACHABLE, NOT_SERVING, UNREACHABLE, SERVING], results=RESTORED, notes={"restart_onprem": STARTED}
    )
    assert kinds(await probe_repeatedly(RESTART, number, INTENT, 4)) == ["CannotTell", "Done", "CannotTell", "Done"]


async def test_check_and_probe_of_one_pass_read_both_sides_once() -> None:
    graph, onprem = FakeGraph(number=DISCONNECTED), FakeOnPrem(reading=SERVING)
    number = make_number(graph, onprem, instance=NO_COMMAND)
    await START.check(number)
    await START.probe(number, None)
    assert (graph.script.names(), onprem.script.names()) == (["number"], ["reading"])
