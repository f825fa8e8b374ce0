"""Queued callbacks are not in the backup: the client delivers them first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_parsing import CallbackQueue
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Transient
from migration.steps.drain import PAGE, Drain
from migration.steps.number import DrainRule
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
    assert reasons == [why, why, f"{why} after 15 s"]


async def test_a_queue_that_does_not_empty_for_ten_minutes_blocks() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING, callback_queue=3))
    answers = await read_repeatedly(STEP, number, 3, seconds=300)
    assert kinds(answers) == ["CannotTell", "CannotTell", "CannotTell"]
    answers = await read_repeatedly(STEP, number, 3, seconds=301)
    assert kinds(answers) == ["CannotTell", "CannotTell", "Blocked"]
    assert answers[-1] == Blocked("3 callbacks are still queued after 600 s", "runbooks/callbacks-do-not-drain.md")


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


# -- stable, where its senders are paused


def posted(*counts: int | None) -> list[CallbackQueue]:
    return [CallbackQueue(0, count) for count in counts]


async def answers_of(queues: list[CallbackQueue], *, seconds: float = 1, rule: DrainRule | None = None) -> list[object]:
    """One look every `seconds`, of a number whose senders are paused."""
    onprem = FakeOnPrem(reading=SERVING, callback_queue=queues)
    number = make_number(FakeGraph(number=ON_PREMISE), onprem, paused_at=NOW)
    number = replace(number, drain=rule or number.drain)
    return list(await read_repeatedly(STEP, number, len(queues), seconds=seconds))


async def test_an_empty_queue_has_to_stay_empty_for_two_seconds_without_a_post() -> None:
    answers = await answers_of(posted(7, 7, 7))
    assert kinds(answers) == ["CannotTell", "CannotTell", "Evidence"]
    assert answers[-1] == Evidence({"queued": 0, "stable_s": 2.0})


@pytest.mark.parametrize("queues", [posted(7, 8, 8, 9, 9), [*posted(7, 7), CallbackQueue(2, 7), *posted(9, 9)]])
async def test_a_post_or_a_callback_in_between_begins_the_two_seconds_anew(queues: list[CallbackQueue]) -> None:
    assert kinds(await answers_of(queues)) == ["CannotTell"] * 5


async def test_posts_that_do_not_end_are_for_a_person_at_the_limit() -> None:
    answers = await answers_of(posted(1, 2, 3, 4), seconds=201)
    assert kinds(answers) == ["CannotTell"] * 3 + ["Blocked"]
    assert answers[-1] == Blocked("the queue is empty, and callbacks still come after 600 s", PAGE)


@pytest.mark.parametrize("queued", [3, None])
async def test_at_the_limit_a_rule_goes_on_and_what_is_left_is_on_record(queued: int | None) -> None:
    rule = DrainRule(timedelta(seconds=60), goes_on=True)
    answers = await answers_of([CallbackQueue(queued)] * 3, seconds=31, rule=rule)
    evidence = answers[-1] if queued is not None else answers[1]
    assert isinstance(evidence, Evidence)
    assert (evidence.facts["left"], evidence.facts["after_s"]) == (queued, 60.0 if queued is not None else 15.0)
    assert str(evidence.facts["because"]).endswith("the admin file says go on")


async def test_a_client_that_cannot_be_read_is_for_a_person_whatever_the_rule_says() -> None:
    number = make_number(FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=UNREACHABLE))
    number = replace(number, drain=DrainRule(timedelta(seconds=60), goes_on=True))
    assert kinds(await read_repeatedly(STEP, number, 3, seconds=31)) == ["CannotTell", "CannotTell", "Blocked"]


async def test_the_second_look_reads_the_queue_alone_and_a_client_that_has_gone_is_read_whole() -> None:
    onprem = FakeOnPrem(reading=[SERVING, NOT_SERVING], callback_queue=[CallbackQueue(0, 7), Transient("gone")])
    number = make_number(FakeGraph(number=ON_PREMISE), onprem, paused_at=NOW)
    answers = await read_repeatedly(STEP, number, 2, seconds=3)
    assert answers[-1] == Evidence({"nothing_to_drain": NOT_SERVING.kind})
    assert onprem.script.names() == ["reading", "callback_queue", "callback_queue", "reading"]
    onprem = FakeOnPrem(reading=SERVING, callback_queue=CallbackQueue(0, 7))
    answers = await read_repeatedly(STEP, make_number(FakeGraph(), onprem, paused_at=NOW), 2, seconds=3)
    assert isinstance(answers[-1], Evidence)
    assert onprem.script.names() == ["reading", "callback_queue", "callback_queue"]


def of_nodes(*counts: tuple[int | None, int]) -> list[CallbackQueue]:
    """Callbacks that wait, and how many nodes tell so."""
    return [CallbackQueue(queued, 7, nodes) for queued, nodes in counts]


@pytest.mark.parametrize(
    "looks", [[(3, 2), (0, 1), (0, 1)], [(0, 2), (0, 1), (0, 1)], [(0, 2), (2, 1), (0, 1)]], ids=str
)
async def test_a_node_that_tells_nothing_any_more_is_not_drained(looks: list[tuple[int | None, int]]) -> None:
    """What it still holds would be lost with it; the others look empty."""
    answers = await answers_of([*of_nodes(*looks), *of_nodes((0, 2), (0, 2), (0, 2))], seconds=3)
    assert kinds(answers)[:3] == ["CannotTell"] * 3
    assert "only 1 of the client's 2 nodes" in str(answers[2])
    assert isinstance(answers[-1], Evidence), "both are empty, and stay so"


async def test_a_node_that_stays_away_is_for_a_person_and_a_rule_that_goes_on_leaves_its_figure_open() -> None:
    answers = await answers_of(of_nodes((0, 2), (0, 1), (0, 1), (0, 1)), seconds=8)
    assert kinds(answers)[-1] == "Blocked"
    rule = DrainRule(timedelta(seconds=60), goes_on=True)
    answers = await answers_of(of_nodes((0, 2), (0, 1), (0, 1), (0, 1)), seconds=8, rule=rule)
    evidence = next(answer for answer in answers if isinstance(answer, Evidence))
    assert evidence.facts["left"] is None
