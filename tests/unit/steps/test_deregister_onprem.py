"""Taking a number off On-Premises means stopping its client, and having proof that it is gone."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.commands import CommandResult
from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.deregister_onprem import DeregisterOnPrem
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, NotDone, Waiting
from migration.steps.protocol import Step, StepContract
from state.enums import Promise, Side
from tests.harness.clock import AFTER_SUNSET
from tests.harness.fake_clients import FakeCommands
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NAMELESS,
    NOT_SERVING,
    NOW,
    OF_ANOTHER,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    REGISTERED_NOWHERE,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    later,
    make_both,
    make_instance,
    make_intent,
    make_number,
    probe_repeatedly,
    reads_of_one_pass,
)

STEP: Step = DeregisterOnPrem()
NAME = "deregister_onprem"
NO_COMMAND = make_instance(stop_command=None)
STOPPED = {"stopped_at": (NOW - timedelta(seconds=3)).isoformat()}
INTENT = make_intent({"command": "stop-client", "onprem_before": "serving"})
INTENT_REFUSED = make_intent({"command": "stop-client", "onprem_before": "refused"})


def number_with(
    cloud: CloudNumber | list[Any],
    reading: OnPremReading | list[Any] | None,
    note: dict[str, str] | None = None,
    **more: Any,
) -> Number:
    return make_both(cloud, reading, notes={NAME: note} if note else None, **more)


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name=NAME,
        promise=Promise.PROBED,
        longest_call=timedelta(seconds=60),
        reads_lag=timedelta(seconds=10),
        moves_to=Side.NEITHER,
        runs_command=True,
    )


# -- check


@pytest.mark.parametrize("reading", [SERVING, NOT_SERVING, REFUSED, UNREACHABLE])
async def test_with_a_stop_command_nothing_stands_against_it(reading: OnPremReading) -> None:
    assert await STEP.check(number_with(ON_PREMISE, reading, register_sent=True)) is None


async def test_a_client_that_went_off_by_itself_is_no_reason_to_stop_it_at_once() -> None:
    assert isinstance(await STEP.check(number_with(ON_PREMISE, NOT_SERVING)), Waiting)


@pytest.mark.parametrize("reading", [SERVING, REFUSED, UNREACHABLE])
async def test_without_a_stop_command_a_client_that_may_be_alive_blocks(reading: OnPremReading) -> None:
    number = number_with(ON_PREMISE, reading, instance=NO_COMMAND)
    assert await STEP.check(number) == Blocked(
        f"On-Premises reads {reading.kind} and no stop command is named for it", "runbooks/stop-by-hand.md"
    )


async def test_the_client_of_another_number_is_not_stopped() -> None:
    answer = await STEP.check(number_with(ON_PREMISE, OF_ANOTHER))
    assert isinstance(answer, Blocked)
    assert (answer.runbook, "is not its own" in answer.reason) == ("runbooks/onprem-login.md", True)


async def test_a_number_without_an_instance_that_graph_still_shows_there_blocks() -> None:
    assert isinstance(await STEP.check(number_with(ON_PREMISE, None)), Blocked)


@pytest.mark.parametrize(
    "number",
    [
        number_with(ON_PREMISE, NOT_SERVING, instance=NO_COMMAND),
        number_with(ON_CLOUD, UNREACHABLE, instance=NO_COMMAND, register_sent=True),
        number_with(ON_PREMISE, REFUSED, instance=NO_COMMAND, onprem_off_stated_by="ana"),
        number_with(REGISTERED_NOWHERE, None),
        number_with(DISCONNECTED, UNREACHABLE, instance=NO_COMMAND, now=AFTER_SUNSET),
    ],
    ids=["it says so itself", "on Cloud", "stated by a person", "no instance", "expired"],
)
async def test_without_a_stop_command_a_client_that_is_off_passes(number: Number) -> None:
    assert await STEP.check(number) is None


# -- prepare


async def test_the_draft_names_the_command_and_how_the_client_was_before() -> None:
    assert await STEP.prepare(number_with(ON_PREMISE, SERVING)) == Draft(
        {"command": "stop-client", "onprem_before": "serving", "limit_s": 30.0}
    )
    assert await STEP.prepare(number_with(ON_PREMISE, None)) == Draft({"command": None, "onprem_before": "no instance"})


# -- what proves that it is off


GONE = {
    "stated by a person": number_with(ON_PREMISE, UNREACHABLE, onprem_off_stated_by="ana"),
    "no instance and Graph agrees": number_with(REGISTERED_NOWHERE, None),
    "no instance and Graph shows it disconnected": number_with(DISCONNECTED, None),
    "expired by the sunset and Graph agrees": number_with(DISCONNECTED, UNREACHABLE, now=AFTER_SUNSET),
    "expired by the snapshot and Graph agrees": number_with(
        REGISTERED_NOWHERE, REFUSED, results={"snapshot": {"expires_at": NOW.isoformat()}}
    ),
}


@pytest.mark.parametrize("case", GONE)
@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_proof_that_needs_no_second_reading(case: str, before_an_attempt: bool) -> None:
    probe = await STEP.probe(GONE[case], None if before_an_attempt else INTENT)
    assert isinstance(probe, Done)
    assert probe.evidence.side is Side.NEITHER
    assert "kept_off_by" not in probe.evidence.facts


async def test_on_cloud_the_proof_says_nothing_about_the_side() -> None:
    probe = await STEP.probe(number_with(ON_CLOUD, UNREACHABLE, onprem_off_stated_by="ana"), INTENT)
    assert isinstance(probe, Done)
    assert probe.evidence.side is None


@pytest.mark.parametrize(
    "number",
    [
        number_with(ON_PREMISE, SERVING, onprem_off_stated_by="ana"),
        number_with(DISCONNECTED, SERVING, now=AFTER_SUNSET),
        number_with(ON_PREMISE, UNREACHABLE, now=AFTER_SUNSET),
        number_with(DISCONNECTED, UNREACHABLE),
        number_with(ON_PREMISE, UNREACHABLE, STOPPED),
        number_with(ON_PREMISE, None),
        number_with(ON_PREMISE, REFUSED),
    ],
    ids=[
        "stated to be off, and it serves",
        "expired, and it serves",
        "expired, but Graph does not agree",
        "Graph agrees, but it has not expired",
        "stopped, but unreachable",
        "no instance, and Graph shows one",
        "refused, and nothing was stopped",
    ],
)
async def test_what_does_not_prove_it(number: Number) -> None:
    assert not isinstance(await STEP.probe(number, make_intent({"onprem_before": "unreachable"})), Done)


@pytest.mark.parametrize(
    ("onprem_before", "note", "done"),
    [
        ("serving", None, True),
        ("not_serving", None, True),
        ("refused", None, False),
        ("unreachable", None, False),
        ("no instance", None, False),
        ("refused", STOPPED, False),
        ("unreachable", STOPPED, True),
    ],
)
async def test_a_closed_port_is_proof_where_the_client_was_there_or_was_stopped(
    onprem_before: str, note: dict[str, str] | None, done: bool
) -> None:
    number = number_with(ON_PREMISE, REFUSED, note)
    probe = await STEP.probe(number, make_intent({"onprem_before": onprem_before}))
    assert isinstance(probe, Done) is done


async def test_a_port_that_was_closed_before_the_stop_needs_graph_s_word_too() -> None:
    """It may be the port of another number's client, whose address the row has."""
    number = number_with([ON_PREMISE, DISCONNECTED], REFUSED, STOPPED | {"onprem_before": "refused"})
    assert kinds(await probe_repeatedly(STEP, number, INTENT_REFUSED, 2)) == ["CannotTell", "Done"]


async def test_a_client_that_names_no_number_proves_nothing_while_graph_shows_the_number_connected() -> None:
    number = number_with(ON_PREMISE, NAMELESS, instance=NO_COMMAND)
    waiting = await STEP.check(number)
    assert isinstance(waiting, Waiting)
    assert "it may be another number's" in waiting.reason
    assert isinstance(await STEP.probe(number_with(ON_PREMISE, NAMELESS, instance=NO_COMMAND), None), NotDone)
    assert await STEP.check(number_with(DISCONNECTED, NAMELESS, instance=NO_COMMAND)) is None


async def test_before_a_first_attempt_a_closed_port_is_proof_only_after_a_stop() -> None:
    assert isinstance(await STEP.probe(number_with(ON_PREMISE, REFUSED, STOPPED), None), Done)
    assert isinstance(await STEP.probe(number_with(ON_PREMISE, REFUSED), None), NotDone)


# -- two readings that say "not serving"


async def test_one_reading_that_does_not_serve_is_remembered_and_not_believed() -> None:
    probe = await STEP.probe(number_with(ON_PREMISE, NOT_SERVING, STOPPED), INTENT)
    assert probe == CannotTell(
        NOW + timedelta(seconds=2),
        "not serving; a second reading will prove it",
        {**STOPPED, "not_serving_at": NOW.isoformat()},
    )


@pytest.mark.parametrize(("seconds", "done"), [(0.0, False), (1.9, False), (2.0, True), (60.0, True)])
async def test_the_second_reading_proves_it_after_two_seconds(seconds: float, done: bool) -> None:
    note = {"not_serving_at": NOW.isoformat()}
    number = later(number_with(ON_PREMISE, NOT_SERVING, note), seconds)
    assert isinstance(await STEP.probe(number, INTENT), Done) is done


async def test_two_readings_prove_it_in_a_row_of_passes() -> None:
    number = number_with(ON_PREMISE, NOT_SERVING, STOPPED)
    assert kinds(await probe_repeatedly(STEP, number, INTENT, 2)) == ["CannotTell", "Done"]


# -- before a first attempt: kept off as well


@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [
        (ON_PREMISE, SERVING, Side.ON_PREMISES),
        (ON_PREMISE, NOT_SERVING, Side.NEITHER),
        (ON_PREMISE, UNREACHABLE, Side.UNKNOWN),
        (ON_CLOUD, NOT_SERVING, Side.CLOUD),
        (ON_CLOUD, UNREACHABLE, Side.CLOUD),
    ],
)
async def test_a_client_with_a_stop_command_is_stopped_also_where_it_is_silent(
    cloud: CloudNumber, reading: OnPremReading, side: Side
) -> None:
    probe = await STEP.probe(number_with(cloud, reading), None)
    assert isinstance(probe, NotDone)
    assert probe.side is side


async def test_a_client_that_was_stopped_once_is_not_stopped_again_before_its_proof() -> None:
    assert isinstance(await STEP.probe(number_with(ON_PREMISE, NOT_SERVING, STOPPED), None), CannotTell)


async def test_without_a_stop_command_not_serving_is_proved_by_readings() -> None:
    number = number_with(ON_PREMISE, NOT_SERVING, instance=NO_COMMAND)
    assert kinds(await probe_repeatedly(STEP, number, INTENT_REFUSED, 2)) == ["CannotTell", "Done"]


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE])
async def test_what_this_migration_has_proved_is_not_proved_again(reading: OnPremReading) -> None:
    number = number_with(ON_PREMISE, reading, results={NAME: {"onprem": "refused"}})
    probe = await STEP.probe(number, None)
    assert isinstance(probe, Done)
    assert probe.evidence.side is Side.NEITHER


async def test_a_client_that_serves_again_is_stopped_again_whatever_was_proved() -> None:
    number = number_with(ON_PREMISE, SERVING, results={NAME: {"onprem": "refused"}})
    assert isinstance(await STEP.probe(number, None), NotDone)


async def test_an_open_attempt_is_not_settled_by_an_earlier_proof() -> None:
    number = number_with(ON_PREMISE, UNREACHABLE, results={NAME: {"onprem": "refused"}})
    assert isinstance(await STEP.probe(number, INTENT), CannotTell)


# -- after register with a backup: a fence


@pytest.mark.parametrize("reading", [REFUSED, UNREACHABLE])
async def test_on_cloud_a_client_without_stop_command_is_fenced_off(reading: OnPremReading) -> None:
    probe = await STEP.probe(number_with(ON_CLOUD, reading, instance=NO_COMMAND), None)
    assert probe == Done(
        Evidence(
            {
                "cloud_status": "CONNECTED",
                "cloud_platform": "CLOUD_API",
                "onprem": reading.kind,
                "kept_off_by": "nobody; the number is on Cloud",
            }
        )
    )


async def test_on_cloud_without_an_instance_it_is_fenced_off() -> None:
    probe = await STEP.probe(number_with(ON_CLOUD, None), None)
    assert isinstance(probe, Done)
    assert probe.evidence.side is None


async def test_a_client_that_serves_beside_cloud_is_not_fenced_off() -> None:
    probe = await STEP.probe(number_with(ON_CLOUD, SERVING, STOPPED), INTENT)
    assert isinstance(probe, NotDone)
    assert probe.side is None


# -- an open attempt


async def test_a_client_that_still_serves_proves_that_it_was_not_stopped() -> None:
    probe = await STEP.probe(number_with(ON_PREMISE, SERVING), INTENT)
    assert isinstance(probe, NotDone)
    assert (probe.side, probe.witnesses["onprem"]) == (None, "serving")


async def test_silence_alone_proves_neither() -> None:
    probe = await STEP.probe(number_with(ON_PREMISE, UNREACHABLE, STOPPED), INTENT)
    assert probe == CannotTell(NOW + timedelta(seconds=2), "On-Premises reads unreachable")


# -- reads that go backwards


async def test_serving_then_unreachable_then_serving() -> None:
    number = number_with(ON_PREMISE, [SERVING, UNREACHABLE, SERVING], STOPPED)
    assert kinds(await probe_repeatedly(STEP, number, INTENT, 3)) == ["NotDone", "CannotTell", "NotDone"]


async def test_cloud_shown_and_then_not_needs_the_client_s_own_proof() -> None:
    number = number_with([ON_CLOUD, ON_PREMISE, ON_CLOUD], UNREACHABLE, STOPPED)
    assert kinds(await probe_repeatedly(STEP, number, INTENT, 3)) == ["Done", "CannotTell", "Done"]


@pytest.mark.parametrize("instance", [NO_COMMAND, make_instance()], ids=["no stop command", "stop command"])
async def test_a_client_that_served_in_between_is_not_gone_by_one_reading(instance: Any) -> None:
    number = number_with(ON_PREMISE, [NOT_SERVING, SERVING, NOT_SERVING], instance=instance)
    probes = await probe_repeatedly(STEP, number, INTENT, 3)
    assert kinds(probes) == ["CannotTell", "NotDone", "CannotTell"]


async def test_a_client_that_serves_again_after_its_stop_is_not_gone_by_a_closed_port() -> None:
    number = number_with(ON_PREMISE, [SERVING, REFUSED], STOPPED)
    probes = await probe_repeatedly(STEP, number, make_intent({"onprem_before": "refused"}), 2)
    assert kinds(probes) == ["NotDone", "CannotTell"]


# -- apply


async def test_apply_runs_the_command_of_the_intent_once_and_proves_nothing() -> None:
    commands = FakeCommands()
    intent = make_intent({"command": "stop-it", "onprem_before": "refused"})
    answer = await STEP.apply(make_number(commands=commands), intent)
    assert answer == CannotTell(
        NOW + timedelta(seconds=1),
        "stopped; proof is being read",
        {"stopped_at": NOW.isoformat(), "answered": make_intent().key, "onprem_before": "refused"},
    )
    assert commands.script.arguments("run") == [
        {"name": "stop-it", "arguments": {"container": "wa-0001"}, "send_by": SEND_BY}
    ]


async def test_a_command_that_failed_is_a_refusal() -> None:
    commands = FakeCommands(run=CommandResult(False, SafeText("exit 1: no such container")))
    with pytest.raises(Rejected) as caught:
        await STEP.apply(make_number(commands=commands), make_intent({"command": "stop-it"}))
    assert (str(caught.value), caught.value.error_code, caught.value.details) == (
        "the command stop-it failed",
        None,
        "exit 1: no such container",
    )


async def test_check_probe_and_prepare_of_one_pass_read_both_sides_once() -> None:
    assert await reads_of_one_pass(STEP) == (["number"], ["reading"])
