"""Queued callbacks are not in the backup: the client delivers them first."""

from datetime import timedelta

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Transient
from migration.steps.drain import Drain
from migration.steps.outcomes import Blocked, CannotTell, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from state.enums import Party, Promise
from tests.harness.fake_clients import FakeGraph, FakeOnPrem
from tests.harness.hand_made_number import (
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    SERVING,
    UNREACHABLE,
    kinds,
    make_intent,
    make_number,
    read_repeatedly,
)

STEP: Step = Drain()


def test_contract() -> None:
    assert STEP.contract == StepContract(name="drain", promise=Promise.READ, fresh_for=timedelta(seconds=30))


async def test_nothing_stands_against_it_and_nothing_is_prepared() -> None:
    assert await STEP.check(make_number()) is None
    assert await STEP.prepare(make_number()) == Draft()
    assert await STEP.probe(make_number(), None) == NotDone({})


@pytest.mark.parametrize(
    ("cloud", "reading"),
    [
        (ON_PREMISE, NOT_SERVING),
        (DISCONNECTED, REFUSED),
        (DISCONNECTED, UNREACHABLE),
        (ON_CLOUD, UNREACHABLE),
        (ON_PREMISE, None),
    ],
)
async def test_a_client_that_does_not_serve_has_nothing_to_deliver(
    cloud: CloudNumber, reading: OnPremReading | None
) -> None:
    onprem = FakeOnPrem(reading=reading) if reading is not None else None
    answer = await STEP.apply(make_number(FakeGraph(number=cloud), onprem), make_intent())
    assert answer == Evidence({"nothing_to_drain": reading.kind if reading is not None else "no instance"})


async def test_an_empty_queue_is_drained() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING, callback_queue=0))
    assert await STEP.apply(number, make_intent()) == Evidence({"queued": 0})


async def test_a_queue_that_is_not_empty_is_the_customer_s_to_empty() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING, callback_queue=3))
    assert await STEP.apply(number, make_intent()) == CannotTell(
        NOW + timedelta(seconds=3), "3 callbacks are still queued", {"since": NOW.isoformat()}, Party.CUSTOMER
    )


async def test_a_queue_that_cannot_be_read_is_not_empty() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING, callback_queue=None))
    answers = await read_repeatedly(STEP, number, 3, seconds=8)
    assert kinds(answers) == ["CannotTell", "CannotTell", "Blocked"], "waiting would not make it readable"
    why = "the client does not tell how many callbacks are queued"
    reasons = [answer.reason for answer in answers if isinstance(answer, CannotTell | Blocked)]
    assert reasons == [why, why, f"{why} after 0:00:15"]


async def test_a_queue_that_does_not_empty_for_ten_minutes_blocks() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING, callback_queue=3))
    answers = await read_repeatedly(STEP, number, 3, seconds=300)
    assert kinds(answers) == ["CannotTell", "CannotTell", "CannotTell"]
    answers = await read_repeatedly(STEP, number, 3, seconds=301)
    assert kinds(answers) == ["CannotTell", "CannotTell", "Blocked"]
    assert answers[-1] == Blocked("3 callbacks are still queued after 0:10:00", "runbooks/callbacks-do-not-drain.md")


async def test_the_time_counts_from_the_first_queue_that_was_not_empty_also_where_it_grows() -> None:
    onprem = FakeOnPrem(reading=SERVING, callback_queue=[3, 1, 9, 0])
    answers = await read_repeatedly(STEP, make_number(FakeGraph(number=ON_PREMISE), onprem), 4, seconds=3)
    assert kinds(answers) == ["CannotTell", "CannotTell", "CannotTell", "Evidence"]
    notes = [answer.note for answer in answers if isinstance(answer, CannotTell)]
    assert notes == [{"since": NOW.isoformat()}] * 3


async def test_a_client_that_stays_silent_while_graph_shows_it_connected_is_for_a_person() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=UNREACHABLE))
    answers = await read_repeatedly(STEP, number, 3, seconds=301)
    assert kinds(answers) == ["CannotTell", "CannotTell", "Blocked"]


@pytest.mark.parametrize("silent", [UNREACHABLE, REFUSED])
async def test_a_client_that_is_silent_between_two_readings_that_serve_has_not_drained(silent: OnPremReading) -> None:
    onprem = FakeOnPrem(reading=[SERVING, silent, SERVING], callback_queue=3)
    answers = await read_repeatedly(STEP, make_number(FakeGraph(number=ON_PREMISE), onprem), 3, seconds=3)
    assert kinds(answers) == ["CannotTell", "CannotTell", "CannotTell"]


async def test_a_client_that_serves_beside_cloud_is_drained_too() -> None:
    number = make_number(FakeGraph(number=ON_CLOUD), FakeOnPrem(reading=SERVING, callback_queue=1))
    assert isinstance(await STEP.apply(number, make_intent()), CannotTell)


async def test_a_queue_that_cannot_be_read_is_raised() -> None:
    onprem = FakeOnPrem(reading=SERVING, callback_queue=Transient("503"))
    with pytest.raises(Transient):
        await STEP.apply(make_number(FakeGraph(number=ON_PREMISE), onprem), make_intent())
