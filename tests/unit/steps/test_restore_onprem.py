"""The kept backup is put into the client, once, where the client does not serve by itself."""

import json
from datetime import timedelta
from typing import Any

import pytest

from migration.clients.onprem_reading import OnPremReading
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, NotDone
from migration.steps.protocol import AFTER_COMMAND, Step, StepContract
from migration.steps.restore_onprem import RestoreOnPrem
from state.enums import Promise, Side
from tests.harness.fake_clients import FakeGraph, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NOT_SERVING,
    ON_CLOUD,
    REFUSED,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    make_intent,
    make_number,
    probe_repeatedly,
    reveal,
)

STEP: Step = RestoreOnPrem()
BACKUP = json.dumps({"data": "blob", "password": "p4ss"})
OFF = pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE])


def number_with(reading: OnPremReading | list[Any], *, backup: bool = True, **more: Any) -> Number:
    secrets = FakeSecrets(backup=BACKUP) if backup else FakeSecrets()
    return make_number(FakeGraph(number=DISCONNECTED), FakeOnPrem(reading=reading), secrets=secrets, **more)


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="restore_onprem",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=60),
        repeats_after=AFTER_COMMAND,
    )


async def test_the_draft_carries_the_backup_where_there_is_one() -> None:
    assert await STEP.check(make_number()) is None
    draft = await STEP.prepare(number_with(NOT_SERVING))
    assert (dict(draft.facts), reveal(draft.secret["backup"])) == ({}, BACKUP)
    assert await STEP.prepare(number_with(NOT_SERVING, backup=False)) == Draft()


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_a_client_that_serves_needs_no_restore(before_an_attempt: bool) -> None:
    probe = await STEP.probe(number_with(SERVING), None if before_an_attempt else make_intent())
    assert isinstance(probe, Done)
    assert (probe.evidence.side, probe.evidence.facts["restored"]) == (Side.ON_PREMISES, False)


@OFF
async def test_without_a_backup_there_is_nothing_to_restore(reading: OnPremReading) -> None:
    probe = await STEP.probe(number_with(reading, backup=False), None)
    assert isinstance(probe, Done)
    assert (probe.evidence.side, probe.evidence.facts["restored"]) == (None, False)


@OFF
async def test_what_was_restored_once_is_not_restored_again(reading: OnPremReading) -> None:
    probe = await STEP.probe(number_with(reading, results={"restore_onprem": {"restored": True}}), None)
    assert isinstance(probe, Done)
    assert (probe.evidence.side, probe.evidence.facts["restored"]) == (None, True)


@OFF
@pytest.mark.parametrize("result", [None, {"restored": False}])
async def test_a_client_that_does_not_serve_gets_the_backup(
    reading: OnPremReading, result: dict[str, bool] | None
) -> None:
    probe = await STEP.probe(number_with(reading, results={"restore_onprem": result} if result else None), None)
    assert isinstance(probe, NotDone)
    assert (probe.side, probe.witnesses["onprem"]) == (None, reading.kind)


@OFF
async def test_after_a_lost_answer_the_same_backup_goes_in_again(reading: OnPremReading) -> None:
    number = number_with(reading, results={"restore_onprem": {"restored": True}})
    assert isinstance(await STEP.probe(number, make_intent()), NotDone)


async def test_serving_then_unreachable_then_serving() -> None:
    number = number_with([SERVING, UNREACHABLE, SERVING])
    assert kinds(await probe_repeatedly(STEP, number, make_intent(), 3)) == ["Done", "NotDone", "Done"]


async def test_both_sides_claiming_the_number_do_not_show_its_side() -> None:
    number = make_number(FakeGraph(number=ON_CLOUD), FakeOnPrem(reading=SERVING))
    probe = await STEP.probe(number, make_intent())
    assert not isinstance(probe, Done) or probe.evidence.side is None


async def test_apply_restores_the_backup_of_the_intent_once() -> None:
    onprem = FakeOnPrem()
    evidence = await STEP.apply(make_number(onprem=onprem), make_intent(secret={"backup": BACKUP}))
    assert evidence == Evidence({"restored": True})
    (arguments,) = onprem.script.arguments("restore")
    assert (reveal(arguments["data"]), reveal(arguments["password"]), arguments["send_by"]) == ("blob", "p4ss", SEND_BY)
