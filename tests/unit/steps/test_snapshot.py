"""The snapshot writes down what is true before anything is touched."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.client_record import ClientRecord
from migration.clients.graph_details import NumberDetails
from migration.clients.graph_models import CloudNumber, Profile
from migration.clients.onprem_reading import OnPremReading
from migration.clients.profile_picture import Picture, opened_picture
from migration.errors import Transient
from migration.steps.outcomes import Blocked, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from migration.steps.snapshot import Snapshot
from state.enums import Promise, Side
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    NOT_SERVING,
    NOW,
    OF_ANOTHER,
    ON_CLOUD,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    REFUSED,
    SERVING,
    UNREACHABLE,
    expiring,
    make_intent,
    make_number,
    read_repeatedly,
)

STEP: Step = Snapshot()
NAMED = ON_PREMISE.model_copy(
    update={"verified_name": "Acme", "code_verification_status": "VERIFIED", "quality_rating": "GREEN"}
)
NAME = {"verified_name": "Acme", "code_verification_status": "VERIFIED", "quality_rating": "GREEN"}
PROFILE = Profile(about="We are open", websites=("https://acme.example",))


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="snapshot", promise=Promise.READ, longest_call=timedelta(seconds=60), reads_side=True
    )


async def test_with_the_client_of_another_number_nothing_begins() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=OF_ANOTHER))
    answer = await STEP.apply(number, make_intent())
    assert isinstance(answer, Blocked)
    assert answer.runbook == "runbooks/onprem-login.md"


async def test_a_movable_number_passes_its_check_without_a_look_at_the_client() -> None:
    graph, onprem = FakeGraph(number=ON_PREMISE), FakeOnPrem()
    assert await STEP.check(make_number(graph, onprem)) is None
    assert graph.script.arguments("number") == [{"phone_number_id": PHONE_NUMBER_ID}]
    assert onprem.script.calls == []


@pytest.mark.parametrize(
    ("cloud", "page"),
    [
        (CloudNumber(id="1", status="BANNED"), "runbooks/not-movable.md"),
        (CloudNumber(id="1", is_on_biz_app=True), "runbooks/business-app.md"),
    ],
)
async def test_a_number_that_is_not_ours_to_move_is_blocked(cloud: CloudNumber, page: str) -> None:
    obstacle = await STEP.check(make_number(FakeGraph(number=cloud)))
    assert isinstance(obstacle, Blocked)
    assert (obstacle.runbook, obstacle.side) == (page, None)


async def test_it_prepares_and_proves_nothing() -> None:
    assert await STEP.prepare(make_number()) == Draft()
    assert await STEP.probe(make_number(), None) == NotDone({})


async def snapshot_of(
    cloud: CloudNumber | list[Any], reading: OnPremReading | None, earlier: dict[str, Any] | None = None
) -> Evidence:
    onprem = FakeOnPrem(reading=reading, profile=PROFILE) if reading is not None else None
    number = make_number(FakeGraph(number=cloud), onprem, results={"snapshot": earlier} if earlier else None)
    evidence = await STEP.apply(number, make_intent())
    assert isinstance(evidence, Evidence)
    return evidence


async def test_a_serving_client_tells_expiry_and_profile() -> None:
    assert await snapshot_of(NAMED, expiring(SERVING, NOW)) == Evidence(
        {
            "cloud_status": "CONNECTED",
            "cloud_platform": "ON_PREMISE",
            "onprem": "serving",
            **NAME,
            "expires_at": NOW.isoformat(),
            "profile": {"about": "We are open", "websites": ["https://acme.example"]},
            "before": {"templates": 3, "unread": {"standing": "the list of its WABA does not show the number"}},
        },
        side=Side.ON_PREMISES,
    )


async def test_picture_settings_and_standing_are_written_down_and_the_picture_is_sealed() -> None:
    picture = Picture(b"\xff\xd8\xff\xe0abc", "image/jpeg")
    record = ClientRecord(picture, "https://acme.example/w", {"sent_status": False}, {})
    details = NumberDetails(id=PHONE_NUMBER_ID, is_official_business_account=True)
    onprem = FakeOnPrem(reading=SERVING, profile=PROFILE, record=record)
    number = make_number(FakeGraph(number=NAMED, details_of_all=(details,)), onprem)
    evidence = await STEP.apply(number, make_intent())
    assert isinstance(evidence, Evidence)
    assert evidence.facts["picture"] == picture.as_facts()
    assert evidence.facts["before"] == {
        "webhook": "https://acme.example/w",
        "settings": {"sent_status": False},
        "graph": {"is_official_business_account": True, "webhook_configuration": {}},
        "templates": 3,
    }
    assert opened_picture(evidence.secrets["picture"]) == picture


async def test_what_cannot_be_read_beside_the_profile_stops_no_move_and_is_named() -> None:
    record = ClientRecord(unread={"picture": "it is neither JPEG nor PNG", "settings": "HTTP 500"})
    graph = FakeGraph(number=NAMED, details_of_all=Transient("no answer"), approved_templates=Transient("no answer"))
    number = make_number(graph, FakeOnPrem(reading=SERVING, profile=PROFILE, record=record))
    evidence = await STEP.apply(number, make_intent())
    assert isinstance(evidence, Evidence)
    assert evidence.facts["profile_not_carried"] == {"picture": "it is neither JPEG nor PNG"}
    assert evidence.facts["before"]["unread"] == {
        "settings": "HTTP 500",
        "standing": "no answer",
        "templates": "no answer",
    }
    assert evidence.secrets == {}


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
async def test_a_client_that_does_not_serve_is_not_asked_for_its_profile(reading: OnPremReading | None) -> None:
    facts = (await snapshot_of(NAMED, reading)).facts
    assert "profile" not in facts
    assert "expires_at" not in facts


async def test_a_serving_client_that_names_no_expiry_leaves_it_out() -> None:
    facts = (await snapshot_of(NAMED, SERVING)).facts
    assert "expires_at" not in facts
    assert "profile" in facts


EARLIER = {"expires_at": "2025-10-01T00:00:00+00:00", "profile": {"about": "Old"}, "onprem": "serving", "other": 1}


async def test_a_dark_number_keeps_what_only_its_client_could_tell() -> None:
    facts = (await snapshot_of(NAMED, UNREACHABLE, EARLIER)).facts
    assert facts == {
        "cloud_status": "CONNECTED",
        "cloud_platform": "ON_PREMISE",
        "onprem": "unreachable",
        **NAME,
        "expires_at": EARLIER["expires_at"],
        "profile": EARLIER["profile"],
    }


async def test_what_a_serving_client_tells_now_replaces_what_it_told_before() -> None:
    facts = (await snapshot_of(NAMED, expiring(SERVING, NOW), EARLIER)).facts
    assert facts["expires_at"] == NOW.isoformat()
    assert facts["profile"] == {"about": "We are open", "websites": ["https://acme.example"]}


@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [
        (ON_PREMISE, SERVING, Side.ON_PREMISES),
        (ON_PREMISE, NOT_SERVING, Side.NEITHER),
        (ON_PREMISE, UNREACHABLE, Side.UNKNOWN),
        (ON_CLOUD, REFUSED, Side.CLOUD),
        (ON_CLOUD, SERVING, Side.UNKNOWN),
    ],
)
async def test_the_side_is_what_both_answers_say(cloud: CloudNumber, reading: OnPremReading, side: Side) -> None:
    assert (await snapshot_of(cloud, reading)).side is side


async def test_each_snapshot_reads_both_sides_anew_when_they_go_backwards() -> None:
    number = make_number(
        FakeGraph(number=[ON_CLOUD, ON_PREMISE, ON_CLOUD]), FakeOnPrem(reading=[UNREACHABLE, UNREACHABLE, REFUSED])
    )
    answers = await read_repeatedly(STEP, number, 3, seconds=2)
    assert [answer.side for answer in answers if isinstance(answer, Evidence)] == [
        Side.CLOUD,
        Side.UNKNOWN,
        Side.CLOUD,
    ]


async def test_a_failed_reading_is_raised_and_not_written_down() -> None:
    number = make_number(FakeGraph(number=Transient("503")), FakeOnPrem(reading=SERVING))
    with pytest.raises(Transient):
        await STEP.apply(number, make_intent())
