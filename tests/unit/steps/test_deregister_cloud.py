"""Taking a number off Cloud: the point of no return of the way back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.steps.deregister_cloud import DeregisterCloud
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from state.enums import PinProvenance, Promise, Side
from tests.harness.clock import AFTER_SUNSET
from tests.harness.fake_clients import FakeGraph, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import (
    COMING_UP,
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    REFUSED,
    REGISTERED_NOWHERE,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    make_both,
    make_intent,
    make_number,
    probe_repeatedly,
)

STEP: Step = DeregisterCloud()
CLOSED_PAGE = "runbooks/way-back-closed.md"
DUE = NOW + timedelta(seconds=35)
LAG = timedelta(seconds=60)
INTENT = make_intent({"onprem_before": "refused"}, answer_due=DUE)
VERIFIED = ON_CLOUD.model_copy(update={"code_verification_status": "VERIFIED"})
EXPIRED = ON_CLOUD.model_copy(update={"code_verification_status": "EXPIRED"})


def number_with(
    cloud: CloudNumber | list[Any], reading: OnPremReading | list[Any] | None = REFUSED, **more: Any
) -> Number:
    return make_both(cloud, reading, **({"secrets": FakeSecrets(pin="112233"), "side": Side.CLOUD} | more))


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="deregister_cloud",
        promise=Promise.PROBED,
        budget="deregister",
        reads_lag=timedelta(seconds=60),
        moves_to=Side.NEITHER,
    )


# -- check


async def test_a_number_that_is_off_cloud_already_passes() -> None:
    """What is left is to bring it up On-Premises, also where the way back would be closed by now."""
    assert await STEP.check(number_with(DISCONNECTED, now=AFTER_SUNSET, pin_provenance=None)) is None


async def test_a_number_that_may_go_back_passes() -> None:
    assert await STEP.check(number_with(VERIFIED)) is None


async def test_the_code_status_of_now_counts_and_not_that_of_the_snapshot() -> None:
    snapshot = {"code_verification_status": "VERIFIED"}
    obstacle = await STEP.check(number_with(EXPIRED, results={"snapshot": snapshot}))
    assert isinstance(obstacle, Blocked)
    assert obstacle.runbook == CLOSED_PAGE


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (number_with(VERIFIED, None), "has no On-Premises instance"),
        (number_with(VERIFIED, now=AFTER_SUNSET), "expired on 2025-10-23"),
        (number_with(VERIFIED, facts={"onprem_registration": "blocked"}), "registration is blocked"),
        (number_with(ON_CLOUD), "would need a code"),
    ],
    ids=["no instance", "expired", "measured to be blocked", "not verified"],
)
async def test_a_way_back_that_is_closed_blocks(number: Number, reason: str) -> None:
    obstacle = await STEP.check(number)
    assert isinstance(obstacle, Blocked)
    assert obstacle.runbook == CLOSED_PAGE
    assert obstacle.reason.startswith("the way back is closed: ")
    assert reason in obstacle.reason


@pytest.mark.parametrize(
    ("provenance", "secrets"),
    [(None, FakeSecrets(pin="112233")), (PinProvenance.SET_ON_CLOUD, FakeSecrets()), (None, FakeSecrets())],
    ids=["of unknown provenance", "lost", "neither"],
)
async def test_without_a_pin_it_could_not_come_forward_again(
    provenance: PinProvenance | None, secrets: FakeSecrets
) -> None:
    assert await STEP.check(number_with(VERIFIED, pin_provenance=provenance, secrets=secrets)) == Blocked(
        "no PIN is known, so the number could not come forward again", CLOSED_PAGE
    )


async def test_the_draft_notes_how_the_client_was_before() -> None:
    assert await STEP.prepare(number_with(ON_CLOUD, UNREACHABLE)) == Draft({"onprem_before": "unreachable"})


# -- probe


@pytest.mark.parametrize("before_an_attempt", [True, False])
@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [
        (DISCONNECTED, NOT_SERVING, Side.NEITHER),
        (REGISTERED_NOWHERE, REFUSED, Side.NEITHER),
        (ON_PREMISE, UNREACHABLE, Side.NEITHER),
        (DISCONNECTED, None, Side.NEITHER),
        (ON_PREMISE, SERVING, Side.ON_PREMISES),
    ],
)
async def test_off_cloud_by_both_words_of_graph_it_is_done(
    cloud: CloudNumber, reading: OnPremReading | None, side: Side, before_an_attempt: bool
) -> None:
    probe = await STEP.probe(number_with(cloud, reading), None if before_an_attempt else INTENT)
    assert isinstance(probe, Done)
    assert probe.evidence.side is side
    assert probe.evidence.facts["cloud_platform"] == cloud.platform_type


@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [(ON_CLOUD, REFUSED, Side.CLOUD), (ON_CLOUD, SERVING, Side.UNKNOWN), (COMING_UP, NOT_SERVING, Side.NEITHER)],
)
async def test_before_a_first_attempt_it_is_not_done_while_graph_names_cloud(
    cloud: CloudNumber, reading: OnPremReading, side: Side
) -> None:
    probe = await STEP.probe(number_with(cloud, reading), None)
    assert isinstance(probe, NotDone)
    assert probe.side is side


@pytest.mark.parametrize(
    ("now", "not_done"),
    [(NOW, False), (DUE, False), (DUE + LAG - timedelta(seconds=1), False), (DUE + LAG, True)],
)
async def test_graph_may_show_it_on_cloud_for_as_long_as_reads_lag(now: datetime, not_done: bool) -> None:
    probe = await STEP.probe(number_with(ON_CLOUD, now=now), INTENT)
    if not_done:
        assert isinstance(probe, NotDone)
        assert (probe.side, probe.witnesses["read_at"]) == (None, now.isoformat())
    else:
        assert probe == CannotTell(now + timedelta(seconds=2), "Graph still shows it on Cloud; reads may lag")


async def test_half_off_cloud_never_proves_that_the_call_had_no_effect() -> None:
    probe = await STEP.probe(number_with(COMING_UP, now=DUE + timedelta(hours=1)), INTENT)
    assert isinstance(probe, CannotTell)


# -- reads that go backwards


async def test_cloud_shown_halfway_and_again_proves_neither_until_graph_names_another_platform() -> None:
    number = number_with([ON_CLOUD, COMING_UP, ON_CLOUD, DISCONNECTED], [REFUSED])
    assert kinds(await probe_repeatedly(STEP, number, INTENT, 4)) == [*["CannotTell"] * 3, "Done"]


async def test_a_client_that_comes_and_goes_does_not_hold_up_the_proof() -> None:
    number = number_with(ON_PREMISE, [SERVING, UNREACHABLE, SERVING])
    probes = await probe_repeatedly(STEP, number, INTENT, 3)
    assert [probe.evidence.side for probe in probes if isinstance(probe, Done)] == [
        Side.ON_PREMISES,
        Side.NEITHER,
        Side.ON_PREMISES,
    ]


# -- apply


async def test_apply_deregisters_once_on_cloud_only() -> None:
    graph, onprem = FakeGraph(), FakeOnPrem()
    assert await STEP.apply(make_number(graph, onprem), INTENT) == Evidence({"accepted": True})
    assert [(call.name, dict(call.arguments)) for call in graph.script.calls] == [
        ("deregister", {"phone_number_id": PHONE_NUMBER_ID, "send_by": SEND_BY})
    ]
    assert onprem.script.calls == []


async def test_a_platform_that_cannot_be_read_does_not_prove_that_the_number_is_off_cloud() -> None:
    probe = await STEP.probe(number_with(CloudNumber(id="1")), INTENT)
    assert isinstance(probe, CannotTell)
