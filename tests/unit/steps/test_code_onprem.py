"""Registering a number On-Premises with a code, on the way back."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.onprem_reading import OnPremReading
from migration.steps.code_onprem import RequestCodeOnPrem, VerifyCodeOnPrem
from migration.steps.code_requests import COOL_DOWN
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, NotDone, Reopen, Waiting
from migration.steps.protocol import AFTER_COMMAND, Step, StepContract
from state.enums import Party, Promise, Side
from state.rows import FindingRow
from tests.harness.fake_clients import FakeGraph, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    PHONE_NUMBER_ID,
    REFUSED,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    make_code,
    make_intent,
    make_number,
    probe_repeatedly,
    reveal,
)

REQUEST: Step = RequestCodeOnPrem()
VERIFY: Step = VerifyCodeOnPrem()
OFF = pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE])


def requested(seconds_ago: float, times: int = 1, *, lost: bool = False) -> dict[str, Any]:
    return {"asked": times, "asked_at": (NOW - timedelta(seconds=seconds_ago)).isoformat(), "answer_lost": lost}


def number_with(
    reading: OnPremReading | list[Any] = NOT_SERVING,
    request: dict[str, Any] | None = None,
    verified_seconds_ago: float | None = None,
    **more: Any,
) -> Number:
    results: dict[str, Any] = {"request_code_onprem": request} if request is not None else {}
    if verified_seconds_ago is not None:
        at = NOW - timedelta(seconds=verified_seconds_ago)
        results["verify_code_onprem"] = FindingRow("verify_code_onprem", at, {})
    return make_number(FakeGraph(number=DISCONNECTED), FakeOnPrem(reading=reading), results=results, **more)


def test_contracts() -> None:
    assert REQUEST.contract == StepContract(
        name="request_code_onprem", promise=Promise.AT_MOST_ONCE, repeats_after=COOL_DOWN
    )
    assert VERIFY.contract == StepContract(
        name="verify_code_onprem", promise=Promise.REPEATABLE, uses_code=True, repeats_after=AFTER_COMMAND
    )


# -- asking for a code


async def test_the_first_request_is_free() -> None:
    assert await REQUEST.check(make_number()) is None  # nothing is read


async def test_a_code_that_is_still_good_stands_against_nothing() -> None:
    assert await REQUEST.check(make_number(results={"request_code_onprem": requested(5, 3)})) is None


async def test_a_client_that_serves_needs_no_code_however_many_were_asked_for() -> None:
    assert await REQUEST.check(number_with(SERVING, requested(3600, 3))) is None


@pytest.mark.parametrize(("times", "blocked"), [(1, False), (2, False), (3, True), (4, True)])
@OFF
async def test_after_three_requests_a_person_is_asked(reading: OnPremReading, times: int, blocked: bool) -> None:
    obstacle = await REQUEST.check(number_with(reading, requested(3600, times)))
    if blocked:
        assert obstacle == Blocked(
            f"{times} codes were asked for and none was verified", "runbooks/code-never-comes.md"
        )
    else:
        assert obstacle is None


@pytest.mark.parametrize(("seconds_ago", "cools"), [(10, True), (59, True), (60, False)])
async def test_the_cool_down_is_a_minute(seconds_ago: int, cools: bool) -> None:
    obstacle = await REQUEST.check(number_with(request=requested(seconds_ago), verified_seconds_ago=1))
    if cools:
        until = NOW + timedelta(seconds=60 - seconds_ago)
        assert obstacle == Waiting(until, Party.US, "cooling down before another code is asked for")
    else:
        assert obstacle is None


@pytest.mark.parametrize(("request_facts", "times"), [(None, 1), (requested(700, 2), 3), ({"registered": True}, 1)])
async def test_the_draft_has_what_the_client_needs(request_facts: dict[str, Any] | None, times: int) -> None:
    graph = FakeGraph(certificate="certificate-of-the-name")
    results = {"request_code_onprem": request_facts} if request_facts is not None else {}
    number = make_number(
        graph, secrets=FakeSecrets(pin="112233"), results=results, e164="+4915550100001", code_method="VOICE"
    )
    draft = await REQUEST.prepare(number)
    assert draft.facts == {"cc": "49", "method": "VOICE", "cert": "certificate-of-the-name", "asked": times}
    assert reveal(draft.secret["pin"]) == "112233"
    assert graph.script.arguments("certificate") == [{"phone_number_id": PHONE_NUMBER_ID}]


async def test_without_a_pin_the_draft_has_none() -> None:
    draft = await REQUEST.prepare(make_number(FakeGraph(certificate="c")))
    assert draft == Draft({"cc": "1", "method": "SMS", "cert": "c", "asked": 1})


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_a_client_that_serves_is_registered(before_an_attempt: bool) -> None:
    probe = await REQUEST.probe(number_with(SERVING), None if before_an_attempt else make_intent({"asked": 1}))
    assert probe == Done(Evidence({"registered": True}))


@OFF
async def test_before_a_first_attempt_it_is_not_done(reading: OnPremReading) -> None:
    assert await REQUEST.probe(number_with(reading), None) == NotDone({"registered": False})


@pytest.mark.parametrize(
    ("seconds_ago", "verified_seconds_ago", "passed_again"),
    [(599, None, True), (600, None, False), (300, 100, False), (300, 400, True)],
    ids=["still good", "expired", "used since", "used was an earlier one"],
)
async def test_a_code_that_is_still_good_is_not_asked_for_twice(
    seconds_ago: int, verified_seconds_ago: int | None, passed_again: bool
) -> None:
    request = requested(seconds_ago)
    number = number_with(request=request, verified_seconds_ago=verified_seconds_ago)
    probe = await REQUEST.probe(number, None)
    assert probe == (Done(Evidence(request)) if passed_again else NotDone({"registered": False}))


async def test_a_lost_answer_counts_as_a_request_and_is_not_repeated() -> None:
    probe = await REQUEST.probe(number_with(), make_intent({"asked": 2}, opened_at=NOW))
    assert probe == Done(Evidence({"asked": 2, "asked_at": NOW.isoformat(), "answer_lost": True}))


async def test_a_client_that_serves_and_is_silent_never_has_its_code_asked_for_again() -> None:
    number = number_with([UNREACHABLE, SERVING, UNREACHABLE])
    assert kinds(await probe_repeatedly(REQUEST, number, make_intent({"asked": 1}), 3)) == ["Done"] * 3


INTENT = make_intent({"cc": "1", "method": "SMS", "cert": "c", "asked": 1}, {"pin": "112233"})


async def test_apply_asks_the_client_once_with_the_number_in_two_parts() -> None:
    onprem = FakeOnPrem(request_code=False)
    assert await REQUEST.apply(make_number(onprem=onprem), INTENT) == Evidence(
        {"asked": 1, "asked_at": NOW.isoformat(), "answer_lost": False, "method": "SMS"}
    )
    (arguments,) = onprem.script.arguments("request_code")
    assert reveal(arguments["pin"]) == "112233"
    assert {name: value for name, value in arguments.items() if name != "pin"} == {
        "country_code": "1",
        "national_number": "5550100001",
        "method": "SMS",
        "certificate": "c",
        "send_by": SEND_BY,
    }


async def test_a_client_that_is_registered_already_sends_no_code() -> None:
    number = make_number(onprem=FakeOnPrem(request_code=True))
    assert await REQUEST.apply(number, INTENT) == Evidence({"registered": True})


async def test_apply_without_a_pin_sends_none() -> None:
    onprem = FakeOnPrem(request_code=False)
    await REQUEST.apply(make_number(onprem=onprem), make_intent(dict(INTENT.facts)))
    assert onprem.script.arguments("request_code")[0]["pin"] is None


# -- giving the code to the client


async def test_with_a_code_nothing_stands_against_it_and_nothing_is_read() -> None:
    assert await VERIFY.check(make_number(code=make_code())) is None


async def test_a_client_that_serves_needs_no_code() -> None:
    assert await VERIFY.check(number_with(SERVING, requested(3600))) is None


@OFF
async def test_it_waits_for_the_customer_as_long_as_the_code_is_good(reading: OnPremReading) -> None:
    assert await VERIFY.check(number_with(reading, requested(100))) == Waiting(
        NOW + timedelta(seconds=500), Party.CUSTOMER, "the code; type it with `cutover enter-code N-0001`"
    )


@OFF
async def test_a_code_that_nobody_typed_in_while_it_was_good_is_asked_for_again(reading: OnPremReading) -> None:
    assert await VERIFY.check(number_with(reading, requested(600))) == Reopen(
        "request_code_onprem", "no code was entered while it was good"
    )


async def test_a_request_whose_answer_was_lost_is_made_again_at_the_client() -> None:
    obstacle = await VERIFY.check(number_with(request=requested(600, lost=True)))
    assert isinstance(obstacle, Reopen)
    assert obstacle.step == "request_code_onprem"


async def test_the_draft_carries_the_code_and_which_one_it_is() -> None:
    draft = await VERIFY.prepare(make_number(code=make_code(id=9), secrets=FakeSecrets(code="123456")))
    assert (draft.facts, reveal(draft.secret["code"])) == ({"code_id": 9}, "123456")
    assert await VERIFY.prepare(make_number()) == Draft({"code_id": None})


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize("has_code", [True, False])
async def test_a_client_that_serves_proves_it(has_code: bool, before_an_attempt: bool) -> None:
    number = number_with(SERVING, code=make_code() if has_code else None)
    probe = await VERIFY.probe(number, None if before_an_attempt else make_intent({"code_id": 5}))
    assert isinstance(probe, Done)
    assert (probe.evidence.side, probe.evidence.code_verified) == (Side.ON_PREMISES, has_code)
    assert probe.evidence.facts["onprem"] == "serving"


@OFF
async def test_a_client_that_does_not_serve_is_not_done(reading: OnPremReading) -> None:
    probe = await VERIFY.probe(number_with(reading), make_intent({"code_id": 5}))
    assert isinstance(probe, NotDone)
    assert (probe.side, probe.witnesses["onprem"]) == (None, reading.kind)


async def test_serving_then_unreachable_then_serving() -> None:
    number = number_with([SERVING, UNREACHABLE, SERVING])
    probes = await probe_repeatedly(VERIFY, number, make_intent({"code_id": 5}), 3)
    assert kinds(probes) == ["Done", "NotDone", "Done"]


async def test_apply_gives_the_code_of_the_intent_to_the_client_once() -> None:
    onprem = FakeOnPrem()
    intent = make_intent({"code_id": 5}, {"code": "123456"})
    assert await VERIFY.apply(make_number(onprem=onprem), intent) == Evidence({"verified": True}, code_verified=True)
    (arguments,) = onprem.script.arguments("verify_code")
    assert (reveal(arguments["code"]), arguments["send_by"]) == ("123456", SEND_BY)


async def test_both_sides_claiming_the_number_do_not_show_its_side() -> None:
    number = make_number(FakeGraph(number=ON_CLOUD), FakeOnPrem(reading=SERVING))
    probe = await VERIFY.probe(number, make_intent({"code_id": 5}))
    assert not isinstance(probe, Done) or probe.evidence.side is None
