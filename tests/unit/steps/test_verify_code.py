"""The code that a person typed in is given to Meta; no worker waits for that person."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, NotDone, Reopen, Waiting
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.verify_code import VerifyCode
from state.enums import Party, Promise
from tests.harness.fake_clients import FakeGraph, FakeSecrets
from tests.harness.hand_made_number import (
    NOW,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    SEND_BY,
    kinds,
    make_code,
    make_intent,
    make_number,
    probe_repeatedly,
    reveal,
)

STEP: Step = VerifyCode()
VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "VERIFIED"})
NOT_VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "NOT_VERIFIED"})
HOW = "type it with `cutover enter-code N-0001`"


def number_with(
    cloud: CloudNumber | list[Any] = NOT_VERIFIED,
    requested_seconds_ago: float | None = None,
    lost: bool = False,
    **more: Any,
) -> Number:
    results: dict[str, Any] = {}
    if requested_seconds_ago is not None:
        at = NOW - timedelta(seconds=requested_seconds_ago)
        results["request_code"] = {"asked": 1, "asked_at": at.isoformat(), "answer_lost": lost}
    return make_number(FakeGraph(number=cloud), results=results, **more)


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="verify_code", promise=Promise.REPEATABLE, uses_code=True, repeats_after=READS_LAG
    )


# -- check


async def test_with_a_code_nothing_stands_against_it_and_nothing_is_read() -> None:
    assert await STEP.check(make_number(code=make_code())) is None


@pytest.mark.parametrize(("minutes_ago", "tried"), [(19, True), (20, False), (600, False)])
async def test_a_code_that_was_typed_in_too_long_ago_spends_no_try(minutes_ago: int, tried: bool) -> None:
    code = make_code(entered_at=NOW - timedelta(minutes=minutes_ago))
    expected = None if tried else Reopen("request_code", "the code was entered too long ago")
    assert await STEP.check(number_with(requested_seconds_ago=60 * minutes_ago + 5, code=code)) == expected


async def test_a_verified_number_needs_no_code() -> None:
    assert await STEP.check(number_with(VERIFIED, requested_seconds_ago=3600)) is None


@pytest.mark.parametrize("seconds_ago", [0, 30, 599])
async def test_it_waits_for_the_customer_as_long_as_the_code_is_good(seconds_ago: int) -> None:
    until = NOW + timedelta(seconds=600 - seconds_ago)
    assert await STEP.check(number_with(requested_seconds_ago=seconds_ago)) == Waiting(
        until, Party.CUSTOMER, f"the code; {HOW}"
    )


@pytest.mark.parametrize("seconds_ago", [600, 601, 86400])
async def test_a_code_that_nobody_typed_in_while_it_was_good_is_asked_for_again(seconds_ago: int) -> None:
    assert await STEP.check(number_with(requested_seconds_ago=seconds_ago)) == Reopen(
        "request_code", "no code was entered while it was good"
    )


async def test_a_request_whose_answer_was_lost_is_made_again() -> None:
    assert await STEP.check(number_with(requested_seconds_ago=600, lost=True)) == Reopen(
        "request_code", "no code came, and whether one was ever asked for is not known"
    )
    assert isinstance(await STEP.check(number_with(requested_seconds_ago=599, lost=True)), Waiting)


async def test_without_a_request_it_waits_for_as_long_as_a_code_is_good() -> None:
    assert await STEP.check(number_with()) == Waiting(NOW + timedelta(minutes=10), Party.CUSTOMER, f"the code; {HOW}")


@pytest.mark.parametrize(
    ("refused_at", "requested_seconds_ago", "another"),
    [
        (NOW - timedelta(seconds=10), 30, True),
        (NOW - timedelta(seconds=30), 30, True),
        (NOW - timedelta(seconds=31), 30, False),
        (NOW - timedelta(seconds=10), None, True),
        (None, 30, False),
    ],
    ids=["of this request", "at its very instant", "of an earlier request", "no request on record", "none was refused"],
)
async def test_after_a_refused_code_the_right_one_is_asked_for(
    refused_at: datetime | None, requested_seconds_ago: int | None, another: bool
) -> None:
    number = number_with(requested_seconds_ago=requested_seconds_ago, code_refused_at=refused_at)
    obstacle = await STEP.check(number)
    assert isinstance(obstacle, Waiting)
    what = "the right code: the one that was typed was refused" if another else "the code"
    assert obstacle.reason == f"{what}; {HOW}"


# -- prepare


async def test_the_draft_carries_the_code_and_which_one_it_is() -> None:
    draft = await STEP.prepare(make_number(code=make_code(id=9), secrets=FakeSecrets(code="123456")))
    assert draft.facts == {"code_id": 9}
    assert reveal(draft.secret["code"]) == "123456"
    assert "123456" not in repr(draft)


async def test_without_a_code_the_draft_names_none() -> None:
    assert await STEP.prepare(make_number()) == Draft({"code_id": None})


# -- probe


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize("status", ["VERIFIED", "NOT_VERIFIED", "EXPIRED", None])
async def test_only_graph_s_word_verified_proves_it(status: str | None, before_an_attempt: bool) -> None:
    cloud = ON_PREMISE.model_copy(update={"code_verification_status": status})
    probe = await STEP.probe(number_with(cloud), None if before_an_attempt else make_intent({"code_id": 5}))
    if status == "VERIFIED":
        assert probe == Done(Evidence({"verified": True}, code_verified=True))
    else:
        assert probe == NotDone({"verified": False})


async def test_verified_shown_and_then_not() -> None:
    number = number_with([VERIFIED, NOT_VERIFIED, VERIFIED])
    probes = await probe_repeatedly(STEP, number, make_intent({"code_id": 5}), 3)
    assert kinds(probes) == ["Done", "NotDone", "Done"]


# -- apply


async def test_apply_gives_the_code_of_the_intent_to_meta_once() -> None:
    graph = FakeGraph()
    intent = make_intent({"code_id": 5}, {"code": "123456"})
    assert await STEP.apply(make_number(graph), intent) == Evidence({"verified": True}, code_verified=True)
    (arguments,) = graph.script.arguments("verify_code")
    assert (arguments["phone_number_id"], reveal(arguments["code"]), arguments["send_by"]) == (
        PHONE_NUMBER_ID,
        "123456",
        SEND_BY,
    )


async def test_a_refused_code_is_raised() -> None:
    graph = FakeGraph(verify_code=Rejected("136025", 136025, SafeText("wrong code")))
    with pytest.raises(Rejected):
        await STEP.apply(make_number(graph), make_intent({"code_id": 5}, {"code": "123456"}))
    assert graph.script.names() == ["verify_code"]
