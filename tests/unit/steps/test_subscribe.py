"""The app is subscribed to the WABA once, and never over an override."""

from datetime import timedelta

import pytest

from migration.clients.graph_models import SubscribedApp
from migration.errors import Transient
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.subscribe import Subscribe
from state.enums import Promise
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import APP_ID, SEND_BY, WABA_ID, make_intent, make_number, probe_repeatedly

OURS = SubscribedApp(app_id=APP_ID)
OURS_WITH_OVERRIDE = SubscribedApp(app_id=APP_ID, override_callback_uri="https://partner.example/hook")
ANOTHER = SubscribedApp(app_id="7002", override_callback_uri="https://other.example/hook")

STEP: Step = Subscribe()


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="subscribe",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=30),
        settle_for=timedelta(minutes=5),
        repeats_after=READS_LAG,
    )


async def test_nothing_stands_against_it_and_nothing_is_prepared() -> None:
    number = make_number()
    assert await STEP.check(number) is None
    assert await STEP.prepare(number) == Draft()


@pytest.mark.parametrize("intent", [None, make_intent()], ids=["before a first attempt", "after a lost answer"])
@pytest.mark.parametrize(
    ("apps", "probe"),
    [
        ((OURS,), Done(Evidence({"subscribed": True, "override": False}))),
        ((ANOTHER, OURS), Done(Evidence({"subscribed": True, "override": False}))),
        ((OURS_WITH_OVERRIDE,), Done(Evidence({"subscribed": True, "override": True}))),
        ((), NotDone({"subscribed": False})),
        ((ANOTHER,), NotDone({"subscribed": False})),
    ],
    ids=["ours", "ours beside another", "ours with an override", "none", "only another app"],
)
async def test_probe(apps: tuple[SubscribedApp, ...], probe: Done | NotDone, intent: Intent | None) -> None:
    graph = FakeGraph(subscribed_apps=apps)
    assert await STEP.probe(make_number(graph), intent) == probe
    assert {call["waba_id"] for call in graph.script.arguments("subscribed_apps")} == {WABA_ID}


async def test_an_app_that_cannot_be_read_may_be_ours_so_nothing_is_sent_over_it() -> None:
    unreadable = SubscribedApp(app_id="")
    with pytest.raises(Transient, match="it may be our app"):
        await STEP.probe(make_number(FakeGraph(subscribed_apps=(ANOTHER, unreadable))), None)
    found = await STEP.probe(make_number(FakeGraph(subscribed_apps=(unreadable, OURS))), None)
    assert isinstance(found, Done)


async def test_each_probe_reads_anew_when_the_list_goes_backwards() -> None:
    graph = FakeGraph(subscribed_apps=[(OURS,), (), (OURS,)])
    probes = await probe_repeatedly(STEP, make_number(graph), make_intent(), 3)
    assert [type(probe) for probe in probes] == [Done, NotDone, Done]


async def test_apply_subscribes_once() -> None:
    graph = FakeGraph()
    evidence = await STEP.apply(make_number(graph), make_intent())
    assert evidence == Evidence({"subscribed": True, "by_us": True})
    assert graph.script.names() == ["subscribe"]
    assert graph.script.arguments("subscribe") == [{"waba_id": WABA_ID, "send_by": SEND_BY}]
