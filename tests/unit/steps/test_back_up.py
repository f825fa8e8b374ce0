"""The backup that `register` may carry: asked of a client that serves, under a password that survives a crash."""

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from migration.clients.onprem_reading import OnPremReading
from migration.errors import CredentialsRefused, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.back_up import BackUp
from migration.steps.outcomes import Blocked, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from state.enums import Promise
from tests.harness.fake_clients import FakeOnPrem
from tests.harness.hand_made_number import (
    NOT_SERVING,
    REFUSED,
    SERVING,
    UNREACHABLE,
    kinds,
    later,
    make_intent,
    make_number,
    reveal,
)

STEP: Step = BackUp()
PAGE = "runbooks/no-backup.md"


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="back_up",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=60),
        fresh_for=timedelta(minutes=30),
    )


async def test_a_number_without_a_client_has_nothing_to_back_up() -> None:
    assert await STEP.check(make_number()) == Blocked("the number has no On-Premises instance to back up", PAGE)


async def test_a_serving_client_is_backed_up_without_a_login_of_its_own() -> None:
    onprem = FakeOnPrem(reading=SERVING)
    assert await STEP.check(make_number(onprem=onprem)) is None
    assert onprem.script.names() == ["reading"]


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED])
async def test_a_client_that_does_not_serve_is_blocked(reading: OnPremReading) -> None:
    onprem = FakeOnPrem(reading=reading)
    obstacle = await STEP.check(make_number(onprem=onprem))
    assert obstacle == Blocked(f"the instance is {reading.kind}: {reading.detail}", PAGE)
    assert onprem.script.names() == ["reading"]


@pytest.mark.parametrize("login", [None, Transient("no route")])
async def test_a_client_without_an_answer_is_tried_again(login: Transient | None) -> None:
    """One hiccup stops no number, and lets none go on without its backup."""
    onprem = FakeOnPrem(reading=UNREACHABLE, login=login)
    with pytest.raises(Transient, match="the instance is unreachable: timed out"):
        await STEP.check(make_number(onprem=onprem))
    assert onprem.script.names() == ["reading", "login"]


async def test_a_login_that_is_refused_is_raised_as_that() -> None:
    refused = CredentialsRefused("401", 1005, SafeText("wrong password"), refused_by="onprem")
    onprem = FakeOnPrem(reading=UNREACHABLE, login=refused)
    with pytest.raises(CredentialsRefused):
        await STEP.check(make_number(onprem=onprem))


async def test_a_client_that_goes_and_comes_back_is_judged_by_each_reading() -> None:
    number = make_number(onprem=FakeOnPrem(reading=[SERVING, REFUSED, SERVING]))
    assert kinds([await STEP.check(later(number, 2)) for _ in range(3)]) == ["NoneType", "Blocked", "NoneType"]


async def test_the_password_is_invented_and_sealed_with_the_intent() -> None:
    draft = await STEP.prepare(make_number())
    assert dict(draft.facts) == {}
    assert reveal(draft.secret["password"]) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"  # 24 bytes


@pytest.mark.parametrize("intent", [None, make_intent(secret={"password": "p"})])
async def test_no_reading_shows_a_backup(intent: None) -> None:
    probe = await STEP.probe(make_number(), intent)
    assert isinstance(probe, NotDone)
    assert probe.side is None


async def test_apply_takes_one_backup_under_the_password_of_the_intent() -> None:
    onprem = FakeOnPrem(backup=SecretStr("blob"))
    evidence = await STEP.apply(make_number(onprem=onprem), make_intent(secret={"password": "p4ss"}))
    assert isinstance(evidence, Evidence)
    assert evidence.facts == {"characters": 4}
    assert {name: json.loads(reveal(value) or "") for name, value in evidence.backups.items()} == {
        "backup": {"data": "blob", "password": "p4ss"}
    }
    assert evidence.side is None
    assert evidence.secrets == {}  # it is kept by the way of backups alone: two places, read back
    assert [reveal(call["password"]) for call in onprem.script.arguments("backup")] == ["p4ss"]
    assert "blob" not in repr(evidence)
    assert "p4ss" not in repr(evidence)
