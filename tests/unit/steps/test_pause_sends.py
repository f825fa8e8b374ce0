"""The customer's senders are asked to stop until a deadline; before the point of no return they may refuse."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.errors import Rejected, Transient
from migration.scrubbing.texts import SafeText
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone
from migration.steps.pause_rules import FEED_NOTICE, PAUSE_LEASE
from migration.steps.pause_sends import ADVISORY_TRIES, PauseSends
from migration.steps.protocol import Step, StepContract
from state.enums import Party, Promise, Side
from tests.harness.fake_clients import FakeHooks
from tests.harness.hand_made_number import (
    NOW,
    SEND_BY,
    kinds,
    make_announcement,
    make_intent,
    make_number,
    probe_repeatedly,
)

STEP: Step = PauseSends()
URL = "https://hooks.acme.example/drained/1"
KEY = "1:pause_sends:5"


def body(**changes: Any) -> dict[str, Any]:
    return make_announcement("pause_sends", after_deadline="resume") | changes


def intent(**changes: Any) -> Intent:
    return make_intent({"body": body(**changes)})


PAUSED = Evidence({"told": "pause_sends", "epoch": 5}, outbox_key=KEY, paused=True, fresh_from=NOW)


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="pause_sends",
        promise=Promise.REPEATABLE,
        settle_for=timedelta(minutes=30),
        fresh_for=timedelta(seconds=90),
        notifies_senders=True,
        unsent_needs_new_key=True,
    )


# -- check


@pytest.mark.parametrize(
    ("hooks", "required", "blocked"),
    [(None, True, True), (None, False, False), (FakeHooks(), True, False), (FakeHooks(), False, False)],
)
async def test_a_hook_that_is_required_has_to_be_there(hooks: FakeHooks | None, required: bool, blocked: bool) -> None:
    obstacle = await STEP.check(make_number(hooks=hooks, hook_required=required))
    if blocked:
        assert obstacle == Blocked(
            "the customer's traffic hook is required and none is set up", "runbooks/traffic-hook.md"
        )
    else:
        assert obstacle is None


# -- prepare


async def test_the_announcement_says_where_from_where_to_and_until_when() -> None:
    assert await STEP.prepare(make_number()) == Draft({"body": body()}, announcement=body())


async def test_on_the_way_back_it_goes_the_other_way() -> None:
    back: Step = PauseSends(goes_to=Side.ON_PREMISES)
    draft = await back.prepare(make_number())
    assert draft.facts["body"] == body(**{"from": "cloud", "to": "on_premises"})


# -- probe


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_without_a_hook_it_costs_nothing_and_nobody_is_paused(before_an_attempt: bool) -> None:
    probe = await STEP.probe(make_number(), None if before_an_attempt else intent())
    assert probe == Done(Evidence({"told": "no hook"}))


@pytest.mark.parametrize(
    ("attempt", "note"),
    [
        (None, {"ask_url": URL, "key": KEY}),
        (intent(), None),
        (intent(), {"ask_url": URL, "key": "1:pause_sends:4"}),
        (intent(), {"key": KEY}),
    ],
    ids=["before a first attempt", "the answer was lost", "asked for another announcement", "no address to ask at"],
)
async def test_the_announcement_is_made_and_made_again_under_the_same_key(
    attempt: Intent | None, note: dict[str, str] | None
) -> None:
    hooks = FakeHooks()
    probe = await STEP.probe(make_number(hooks=hooks, notes={"pause_sends": note} if note else None), attempt)
    assert isinstance(probe, NotDone)
    assert hooks.script.calls == []


async def test_a_hook_that_is_draining_is_asked_at_its_address_until_it_is_done() -> None:
    other = URL + "/again"
    hooks = FakeHooks(ask=[HookDraining(URL), HookDraining(other), HookDone()])
    number = make_number(hooks=hooks, notes={"pause_sends": {"ask_url": URL, "key": KEY}})
    probes = await probe_repeatedly(STEP, number, intent(), 3)
    assert probes[:2] == [
        CannotTell(
            NOW + timedelta(seconds=2 + 2 * n),
            "the senders are draining",
            {"ask_url": url, "key": KEY},
            Party.CUSTOMER,
        )
        for n, url in enumerate([URL, other])
    ]
    assert probes[2] == Done(PAUSED)  # fresh from the announcement, not from the end of the draining
    assert [arguments["ask_url"] for arguments in hooks.script.arguments("ask")] == [URL, URL, other]
    assert hooks.script.arguments("announce") == []


async def test_a_hook_that_is_done_and_drains_again() -> None:
    hooks = FakeHooks(ask=[HookDone(), HookDraining(URL), HookDone()])
    number = make_number(hooks=hooks, notes={"pause_sends": {"ask_url": URL, "key": KEY}})
    assert kinds(await probe_repeatedly(STEP, number, intent(), 3)) == ["Done", "CannotTell", "Done"]


async def test_senders_that_change_their_mind_while_they_drain_refuse() -> None:
    number = make_number(
        hooks=FakeHooks(ask=HookVetoed(SafeText("a campaign runs"))),
        notes={"pause_sends": {"ask_url": URL, "key": KEY}},
    )
    with pytest.raises(Rejected):
        await STEP.probe(number, intent())


# -- apply


async def test_apply_announces_once_under_the_key_of_its_epoch() -> None:
    hooks = FakeHooks(announce=HookDone())
    assert await STEP.apply(make_number(hooks=hooks), intent()) == PAUSED
    assert [(call.name, dict(call.arguments)) for call in hooks.script.calls] == [
        ("announce", {"body": body(), "key": KEY, "send_by": SEND_BY})
    ]


async def test_the_pause_is_fresh_from_its_announcement_and_not_from_the_answer() -> None:
    hooks = FakeHooks(announce=HookDone())
    earlier = NOW - timedelta(seconds=70)
    evidence = await STEP.apply(
        make_number(hooks=hooks), intent(deadline=(earlier + timedelta(seconds=180)).isoformat())
    )
    assert isinstance(evidence, Evidence)
    assert evidence.fresh_from == earlier


async def test_a_hook_that_has_to_drain_first_is_asked_again_in_two_seconds() -> None:
    hooks = FakeHooks(announce=HookDraining(URL))
    assert await STEP.apply(make_number(hooks=hooks), intent()) == CannotTell(
        NOW + timedelta(seconds=2), "the senders are draining", {"ask_url": URL, "key": KEY}, Party.CUSTOMER
    )


async def test_apply_announces_also_where_an_earlier_answer_is_noted() -> None:
    hooks = FakeHooks(announce=HookDone())
    number = make_number(hooks=hooks, notes={"pause_sends": {"ask_url": URL, "key": KEY}})
    await STEP.apply(number, intent())
    assert hooks.script.names() == ["announce"]


async def test_a_veto_is_a_refusal_with_the_customer_s_reason() -> None:
    hooks = FakeHooks(announce=HookVetoed(SafeText("a campaign runs")))
    with pytest.raises(Rejected) as caught:
        await STEP.apply(make_number(hooks=hooks), intent())
    assert (str(caught.value), caught.value.error_code, caught.value.details) == (
        "the customer's hook vetoed pause_sends",
        409,
        "a campaign runs",
    )


@pytest.mark.parametrize("columns", [{"hook_required": True}, {"crossed_at": NOW}])
async def test_a_required_hook_that_does_not_answer_is_raised_and_so_is_any_past_the_crossing(
    columns: dict[str, Any],
) -> None:
    with pytest.raises(Transient):
        await STEP.apply(make_number(hooks=FakeHooks(announce=Transient("no answer")), **columns), intent())


async def test_an_advisory_hook_that_does_not_answer_for_a_minute_keeps_its_number_from_nothing() -> None:
    hooks = FakeHooks(announce=Transient("no answer"))
    for tries in range(ADVISORY_TRIES - 1):
        with pytest.raises(Transient):
            await STEP.apply(make_number(hooks=hooks, tries=tries), intent())
    answer = await STEP.apply(make_number(hooks=hooks, tries=ADVISORY_TRIES - 1), intent())
    assert answer == Evidence({"told": "nobody: the hook is advisory and does not answer (no answer)"})


async def test_a_veto_with_an_end_asks_for_a_wait_until_then() -> None:
    hooks = FakeHooks(announce=HookVetoed(SafeText("a campaign runs"), NOW + timedelta(hours=2)))
    with pytest.raises(Rejected) as caught:
        await STEP.apply(make_number(hooks=hooks), intent())
    assert caught.value.retry_after == timedelta(hours=2)


async def test_what_a_draining_hook_says_of_its_senders_is_told() -> None:
    hooks = FakeHooks(announce=HookDraining(URL, 12, NOW + timedelta(seconds=90)))
    answer = await STEP.apply(make_number(hooks=hooks), intent())
    assert isinstance(answer, CannotTell)
    until = NOW + timedelta(seconds=90)
    assert (
        answer.reason
        == f"the senders are draining, 12 messages in flight, until {until:%H:%M:%S} UTC by their own word"
    )


# -- a router that only asks


def without_hook(
    *, shown: datetime | None = None, has_router: bool = True, waiting_on: Party | None = Party.US
) -> Number:
    notes = {"pause_sends": {"shown": shown.isoformat()}} if shown is not None else {}
    return replace(make_number(notes=notes, waiting_on=waiting_on), has_router=has_router)


async def test_without_a_hook_it_waits_until_routers_have_read_that_sends_are_held() -> None:
    at_first = await STEP.probe(without_hook(), None)
    assert isinstance(at_first, CannotTell)
    assert (at_first.recheck_at, at_first.on, at_first.note) == (
        NOW + FEED_NOTICE,
        Party.US,
        {"shown": NOW.isoformat()},
    )
    assert kinds([await STEP.probe(without_hook(shown=NOW - timedelta(seconds=9)), None)]) == ["CannotTell"]
    began = NOW - FEED_NOTICE
    after = await STEP.probe(without_hook(shown=began), None)
    assert after == Done(Evidence({"told": "no hook; held in the routes feed"}, fresh_from=began))


@pytest.mark.parametrize(("since", "on"), [(PAUSE_LEASE, Party.US), (FEED_NOTICE, Party.OPERATOR), (FEED_NOTICE, None)])
async def test_a_notice_that_has_lapsed_or_that_the_gate_interrupted_is_given_anew(
    since: timedelta, on: Party | None
) -> None:
    late = await STEP.probe(without_hook(shown=NOW - since, waiting_on=on), None)
    assert isinstance(late, CannotTell)
    assert late.recheck_at == NOW + FEED_NOTICE


async def test_where_no_router_reads_the_feed_nobody_waits() -> None:
    assert await STEP.probe(without_hook(has_router=False), None) == Done(Evidence({"told": "no hook"}))
