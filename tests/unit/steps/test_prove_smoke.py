"""The number's own health proves that it may send."""

from datetime import timedelta

import pytest

from migration.clients.graph_models import Health
from migration.steps.outcomes import Blocked, CannotTell, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from migration.steps.prove_smoke import ProveSmoke
from state.enums import Party, Promise
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import (
    NOW,
    ON_CLOUD,
    PHONE_NUMBER_ID,
    REGISTERED_NOWHERE,
    kinds,
    make_intent,
    make_number,
    read_repeatedly,
)

STEP: Step = ProveSmoke()
AVAILABLE = Health(messaging="AVAILABLE", why="")
BLOCKED = Health(messaging="BLOCKED", why="payment method is missing")


def test_contract() -> None:
    assert STEP.contract == StepContract(name="prove_smoke", promise=Promise.READ)


async def test_nothing_stands_against_it_and_nothing_is_prepared() -> None:
    assert await STEP.check(make_number()) is None
    assert await STEP.prepare(make_number()) == Draft()
    assert await STEP.probe(make_number(), None) == NotDone({})


@pytest.mark.parametrize("messaging", ["AVAILABLE", "LIMITED"])
@pytest.mark.parametrize("sent", [True, False, "unknown", None])
async def test_a_number_that_may_send_is_proved_whatever_became_of_the_message(messaging: str, sent: object) -> None:
    graph = FakeGraph(health=Health(messaging=messaging, why=""))
    number = make_number(graph, results={"send_smoke": {"sent": sent}} if sent is not None else {})
    assert await STEP.apply(number, make_intent()) == Evidence(
        {"accepted": sent, "health": messaging, "delivery": "not witnessed"}
    )
    assert graph.script.arguments("health") == [{"phone_number_id": PHONE_NUMBER_ID}]


@pytest.mark.parametrize("messaging", ["BLOCKED", "UNKNOWN", "available", ""])
async def test_any_other_health_is_read_again_in_five_seconds(messaging: str) -> None:
    number = make_number(FakeGraph(health=Health(messaging=messaging, why="")))
    assert await STEP.apply(number, make_intent()) == CannotTell(
        NOW + timedelta(seconds=5), f"health says {messaging}", {"since": NOW.isoformat()}, Party.META
    )


async def test_after_five_minutes_a_person_is_asked_where_it_is_not_on_cloud() -> None:
    number = make_number(FakeGraph(health=BLOCKED, number=REGISTERED_NOWHERE))
    assert kinds(await read_repeatedly(STEP, number, 3, seconds=150)) == ["CannotTell"] * 3
    answers = await read_repeatedly(STEP, number, 3, seconds=151)
    assert answers[-1] == Blocked(
        "Meta says the number can not send: payment method is missing", "runbooks/smoke-failed.md"
    )


async def test_after_five_minutes_the_senders_of_a_number_that_is_on_cloud_wait_no_longer() -> None:
    number = make_number(FakeGraph(health=BLOCKED, number=ON_CLOUD))
    last = (await read_repeatedly(STEP, number, 3, seconds=151))[-1]
    assert isinstance(last, Evidence)
    assert last.answered == ("change", {"health": "BLOCKED"})


@pytest.mark.parametrize("why", ["its account is what is blocked", "its message was refused"])
async def test_senders_do_not_wait_for_an_account_that_somebody_has_to_mend(why: str) -> None:
    of_number, results = ("AVAILABLE", {}) if "account" in why else ("BLOCKED", {"send_smoke": {"refused": 131042}})
    health = Health(messaging="BLOCKED", why="WABA: no payment method", number=of_number, codes=(141006,))
    evidence = await STEP.apply(make_number(FakeGraph(health=health), results=results), make_intent())
    assert isinstance(evidence, Evidence)
    assert evidence.facts["why"] == "WABA: no payment method"
    assert evidence.answered == ("change", {"health": "BLOCKED", "code": 141006})


async def test_health_that_comes_and_goes() -> None:
    graph = FakeGraph(health=[BLOCKED, AVAILABLE, BLOCKED])
    assert kinds(await read_repeatedly(STEP, make_number(graph), 3, seconds=5)) == [
        "CannotTell",
        "Evidence",
        "CannotTell",
    ]
