"""A code is asked for seldom: somebody's phone rings, and asking too often locks the number out."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.steps.code_requests import COOL_DOWN
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, NotDone, Waiting
from migration.steps.protocol import Step, StepContract
from migration.steps.request_code import RequestCode
from state.enums import Party, Promise
from state.rows import FindingRow
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import (
    NOW,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    SEND_BY,
    kinds,
    make_intent,
    make_number,
    probe_repeatedly,
)

STEP: Step = RequestCode()
VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "VERIFIED"})
NOT_VERIFIED = ON_PREMISE.model_copy(update={"code_verification_status": "NOT_VERIFIED"})
COOLING = "cooling down before another code is asked for"


def requested(seconds_ago: float, times: int = 1) -> dict[str, Any]:
    return {"asked": times, "asked_at": (NOW - timedelta(seconds=seconds_ago)).isoformat(), "answer_lost": False}


def number_with(
    cloud: CloudNumber | list[Any] = NOT_VERIFIED,
    request: dict[str, Any] | None = None,
    verified_seconds_ago: float | None = None,
    **more: Any,
) -> Number:
    results: dict[str, Any] = {"request_code": request} if request is not None else {}
    if verified_seconds_ago is not None:
        at = NOW - timedelta(seconds=verified_seconds_ago)
        results["verify_code"] = FindingRow("verify_code", at, {"verified": True})
    return make_number(FakeGraph(number=cloud), results=results, **more)


def test_contract() -> None:
    assert STEP.contract == StepContract(name="request_code", promise=Promise.AT_MOST_ONCE, repeats_after=COOL_DOWN)


# -- check


async def test_the_first_request_is_free() -> None:
    assert await STEP.check(make_number()) is None  # nothing is read


async def test_a_code_that_is_still_good_stands_against_nothing() -> None:
    """`probe` passes it on without another call, also after three requests and during the cool-down."""
    assert await STEP.check(number_with(request=requested(5, times=3))) is None


async def test_within_a_minute_of_a_request_whose_code_was_used_it_cools_down() -> None:
    number = number_with(request=requested(20), verified_seconds_ago=10)
    assert await STEP.check(number) == Waiting(NOW + timedelta(seconds=40), Party.US, COOLING)


@pytest.mark.parametrize(("seconds_ago", "cools"), [(59, True), (60, False), (61, False)])
async def test_the_cool_down_is_a_minute(seconds_ago: int, cools: bool) -> None:
    number = number_with(request=requested(seconds_ago), verified_seconds_ago=5)
    assert isinstance(await STEP.check(number), Waiting) is cools


async def test_a_verified_number_waits_for_nothing() -> None:
    number = number_with(request=requested(20), verified_seconds_ago=10, cloud=VERIFIED)
    assert await STEP.check(number) is None


@pytest.mark.parametrize(("times", "blocked"), [(1, False), (2, False), (3, True), (4, True)])
async def test_after_three_requests_without_a_verification_a_person_is_asked(times: int, blocked: bool) -> None:
    obstacle = await STEP.check(number_with(request=requested(3600, times)))
    if blocked:
        assert obstacle == Blocked(
            f"{times} codes were asked for and none was verified", "runbooks/code-never-comes.md"
        )
    else:
        assert obstacle is None


async def test_three_requests_do_not_block_a_number_that_is_verified() -> None:
    assert await STEP.check(number_with(VERIFIED, requested(3600, 3))) is None


async def test_a_result_without_a_time_neither_waits_nor_fails() -> None:
    assert await STEP.check(number_with(request={"verified": True})) is None
    assert await STEP.check(number_with(request={"asked": 2})) is None


# -- prepare


@pytest.mark.parametrize(("request_facts", "times"), [(None, 1), (requested(700, 2), 3), ({"verified": True}, 1)])
async def test_the_draft_counts_the_requests(request_facts: dict[str, Any] | None, times: int) -> None:
    number = number_with(request=request_facts, code_method="VOICE", language="de")
    assert await STEP.prepare(number) == Draft({"method": "VOICE", "language": "de", "asked": times})


# -- probe


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_a_verified_number_needs_no_code(before_an_attempt: bool) -> None:
    probe = await STEP.probe(number_with(VERIFIED), None if before_an_attempt else make_intent({"asked": 1}))
    assert probe == Done(Evidence({"verified": True}))


async def test_before_a_first_attempt_it_is_not_done() -> None:
    assert await STEP.probe(number_with(), None) == NotDone({"verified": False})


@pytest.mark.parametrize(
    ("seconds_ago", "verified_seconds_ago", "passed_again"),
    [(599, None, True), (600, None, False), (601, None, False), (300, 100, False), (300, 400, True), (300, 300, False)],
    ids=["still good", "expired now", "expired", "used since", "used was an earlier one", "used at that instant"],
)
async def test_a_code_that_is_still_good_is_not_asked_for_twice(
    seconds_ago: int, verified_seconds_ago: int | None, passed_again: bool
) -> None:
    request = requested(seconds_ago)
    probe = await STEP.probe(number_with(request=request, verified_seconds_ago=verified_seconds_ago), None)
    assert probe == (Done(Evidence(request)) if passed_again else NotDone({"verified": False}))


async def test_a_lost_answer_counts_as_a_request_and_is_not_repeated() -> None:
    probe = await STEP.probe(number_with(request=requested(700, 1)), make_intent({"asked": 2}, opened_at=NOW))
    assert probe == Done(Evidence({"asked": 2, "asked_at": NOW.isoformat(), "answer_lost": True}))


async def test_verified_shown_and_then_not_never_asks_for_a_second_code() -> None:
    number = number_with([NOT_VERIFIED, VERIFIED, NOT_VERIFIED])
    probes = await probe_repeatedly(STEP, number, make_intent({"asked": 1}), 3)
    assert kinds(probes) == ["Done", "Done", "Done"]


# -- apply


async def test_apply_asks_once_and_remembers_when() -> None:
    graph = FakeGraph()
    intent = make_intent({"method": "VOICE", "language": "de", "asked": 2}, opened_at=NOW - timedelta(seconds=1))
    assert await STEP.apply(make_number(graph), intent) == Evidence(
        {"asked": 2, "asked_at": (NOW - timedelta(seconds=1)).isoformat(), "answer_lost": False, "method": "VOICE"}
    )
    assert [(call.name, dict(call.arguments)) for call in graph.script.calls] == [
        (
            "request_code",
            {"phone_number_id": PHONE_NUMBER_ID, "method": "VOICE", "language": "de", "send_by": SEND_BY},
        )
    ]
