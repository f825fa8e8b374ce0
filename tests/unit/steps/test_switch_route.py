"""The senders are told where the number answers now, and that they may go on."""

from datetime import timedelta

import pytest

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone
from migration.steps.protocol import Step, StepContract
from migration.steps.resume_sends import ResumeSends
from migration.steps.switch_route import SwitchRoute
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

SWITCH: Step = SwitchRoute()
RESUME: Step = ResumeSends()
# In ABORT the target is the side where the number serves.
SWITCH_BACK: Step = SwitchRoute(goes_to=None)
RESUME_THERE: Step = ResumeSends(goes_to=None)
BOTH_STEPS = pytest.mark.parametrize("step", [SWITCH, RESUME], ids=["switch_route", "resume_sends"])

URL = "https://hooks.acme.example/drained/1"
PAUSED_AT = NOW - timedelta(seconds=30)


def intent(event: str) -> Intent:
    return make_intent({"body": make_announcement(event)})


def confirmed(step: Step) -> Evidence:
    name = step.contract.name
    return Evidence({"told": name, "epoch": 5}, outbox_key=f"1:{name}:5", resumed=step is RESUME)


@pytest.mark.parametrize(
    ("step", "name"),
    [(SWITCH, "switch_route"), (SWITCH_BACK, "switch_route"), (RESUME, "resume_sends"), (RESUME_THERE, "resume_sends")],
)
async def test_contract(step: Step, name: str) -> None:
    assert step.contract == StepContract(
        name=name, promise=Promise.REPEATABLE, settle_for=timedelta(days=7), notifies_senders=True
    )
    assert await step.check(make_number(hook_required=True)) is None  # nothing holds it up past the crossing


# -- prepare


@BOTH_STEPS
async def test_the_announcement_names_both_sides(step: Step) -> None:
    name = step.contract.name
    assert await step.prepare(make_number()) == Draft(
        {"body": make_announcement(name)}, announcement=make_announcement(name)
    )


@pytest.mark.parametrize("step", [SwitchRoute(goes_to=Side.ON_PREMISES), ResumeSends(goes_to=Side.ON_PREMISES)])
async def test_on_the_way_back_it_goes_the_other_way(step: Step) -> None:
    draft = await step.prepare(make_number(side=Side.CLOUD))
    assert draft.facts["body"] == make_announcement(step.contract.name, **{"from": "cloud", "to": "on_premises"})


@pytest.mark.parametrize("step", [SWITCH_BACK, RESUME_THERE])
@pytest.mark.parametrize(
    ("side", "target"),
    [
        (Side.CLOUD, "cloud"),
        (Side.ON_PREMISES, "on_premises"),
        (Side.NEITHER, "on_premises"),
        (Side.UNKNOWN, "on_premises"),
    ],
)
async def test_at_an_abort_senders_are_sent_to_where_the_number_serves(step: Step, side: Side, target: str) -> None:
    draft = await step.prepare(make_number(side=side))
    assert draft.facts["body"]["to"] == target
    assert draft.facts["body"]["from"] == ("on_premises" if target == "cloud" else "cloud")


# -- probe


@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_without_a_hook_they_cost_nothing(before_an_attempt: bool) -> None:
    attempt = None if before_an_attempt else intent("switch_route")
    assert await SWITCH.probe(make_number(paused_at=PAUSED_AT), attempt) == Done(Evidence({"told": "no hook"}))


async def test_senders_that_a_hook_has_paused_do_not_go_on_because_it_is_gone() -> None:
    number = make_number(paused_at=PAUSED_AT)
    assert isinstance(await RESUME.check(number), Blocked)
    assert isinstance(await RESUME.probe(number, intent("resume_sends")), NotDone)
    assert await RESUME.check(make_number(paused_at=None)) is None


@BOTH_STEPS
async def test_before_a_first_attempt_it_has_to_be_announced(step: Step) -> None:
    hooks = FakeHooks()
    assert isinstance(await step.probe(make_number(hooks=hooks, paused_at=PAUSED_AT), None), NotDone)
    assert hooks.script.calls == []


@pytest.mark.parametrize("step", [RESUME, RESUME_THERE])
async def test_senders_that_were_not_paused_are_not_told_to_go_on(step: Step) -> None:
    probe = await step.probe(make_number(hooks=FakeHooks(), paused_at=None), None)
    assert probe == Done(Evidence({"told": "senders were not paused"}))


async def test_a_resume_whose_answer_was_lost_is_announced_again_though_nobody_is_paused_on_record() -> None:
    assert isinstance(await RESUME.probe(make_number(hooks=FakeHooks()), intent("resume_sends")), NotDone)


@pytest.mark.parametrize(
    ("side", "route", "needed"),
    [
        (Side.ON_PREMISES, None, False),
        (Side.ON_PREMISES, "on_premises", False),
        (Side.ON_PREMISES, "cloud", True),
        (Side.CLOUD, None, False),
        (Side.CLOUD, "cloud", False),
        (Side.CLOUD, "on_premises", True),
        (Side.NEITHER, "cloud", True),
    ],
)
async def test_at_an_abort_the_route_is_announced_only_where_senders_were_sent_elsewhere(
    side: Side, route: str | None, needed: bool
) -> None:
    probe = await SWITCH_BACK.probe(make_number(hooks=FakeHooks(), side=side, route=route), None)
    if needed:
        assert isinstance(probe, NotDone)
    else:
        assert probe == Done(Evidence({"told": "senders were not told to send anywhere else"}))


async def test_in_any_other_itinerary_the_route_is_announced_whatever_it_was() -> None:
    assert isinstance(await SWITCH.probe(make_number(hooks=FakeHooks(), route="cloud"), None), NotDone)


@BOTH_STEPS
@pytest.mark.parametrize("note", [None, {"ask_url": URL, "key": "1:other:1"}, {"ask_url": URL}])
async def test_after_a_lost_answer_it_is_announced_again(step: Step, note: dict[str, str] | None) -> None:
    name = step.contract.name
    number = make_number(hooks=FakeHooks(), notes={name: note} if note else None)
    assert isinstance(await step.probe(number, intent(name)), NotDone)


@BOTH_STEPS
async def test_a_hook_that_is_draining_is_asked_until_it_is_done_also_when_it_drains_again(step: Step) -> None:
    name = step.contract.name
    hooks = FakeHooks(ask=[HookDraining(URL), HookDone(), HookDraining(URL), HookDone()])
    number = make_number(hooks=hooks, notes={name: {"ask_url": URL, "key": f"1:{name}:5"}})
    probes = await probe_repeatedly(step, number, intent(name), 4)
    assert kinds(probes) == ["CannotTell", "Done", "CannotTell", "Done"]
    assert probes[0] == CannotTell(
        NOW + timedelta(seconds=2),
        "the senders are draining",
        {"ask_url": URL, "key": f"1:{name}:5"},
        Party.CUSTOMER,
    )
    assert probes[1] == Done(confirmed(step))


# -- apply


@BOTH_STEPS
async def test_apply_announces_once_under_the_key_of_its_epoch(step: Step) -> None:
    name = step.contract.name
    hooks = FakeHooks(announce=HookDone())
    assert await step.apply(make_number(hooks=hooks), intent(name)) == confirmed(step)
    assert [(call.name, dict(call.arguments)) for call in hooks.script.calls] == [
        ("announce", {"body": make_announcement(name), "key": f"1:{name}:5", "send_by": SEND_BY})
    ]


@BOTH_STEPS
async def test_a_hook_that_has_to_drain_first_is_asked_again(step: Step) -> None:
    name = step.contract.name
    number = make_number(hooks=FakeHooks(announce=HookDraining(URL)))
    assert isinstance(await step.apply(number, intent(name)), CannotTell)


@BOTH_STEPS
async def test_a_veto_is_raised_here_too(step: Step) -> None:
    name = step.contract.name
    with pytest.raises(Rejected, match=f"vetoed {name}"):
        await step.apply(make_number(hooks=FakeHooks(announce=HookVetoed(SafeText("no")))), intent(name))
