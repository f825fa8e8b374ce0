"""Where is the number really? The first step of bringing back one that is dark."""

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Rejected
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Blocked, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from migration.steps.read_both_sides import ReadBothSides
from migration.steps.service_log import Doubt
from state.enums import Promise, Side
from tests.harness.hand_made_number import (
    NOT_SERVING,
    ON_CLOUD,
    ON_PREMISE,
    REGISTERED_NOWHERE,
    SERVING,
    UNREACHABLE,
    kinds,
    make_both,
    make_intent,
    make_number,
    read_repeatedly,
)

STEP: Step = ReadBothSides()


def test_contract() -> None:
    assert STEP.contract == StepContract(name="read_both_sides", promise=Promise.READ, reads_side=True)


async def test_nothing_stands_against_it_and_nothing_is_prepared() -> None:
    assert await STEP.check(make_number()) is None
    assert await STEP.prepare(make_number()) == Draft()
    assert await STEP.probe(make_number(), None) == NotDone({})


@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [
        (REGISTERED_NOWHERE, None, Side.NEITHER),
        (ON_PREMISE, NOT_SERVING, Side.NEITHER),
        (ON_PREMISE, UNREACHABLE, Side.UNKNOWN),
        (ON_CLOUD, UNREACHABLE, Side.CLOUD),
        (ON_CLOUD, SERVING, Side.UNKNOWN),
    ],
)
async def test_the_side_is_what_both_answers_say(cloud: CloudNumber, reading: OnPremReading | None, side: Side) -> None:
    evidence = await STEP.apply(make_both(cloud, reading), make_intent())
    assert isinstance(evidence, Evidence)
    assert evidence.side is side
    assert set(evidence.facts) == {"cloud_status", "cloud_platform", "onprem"}


async def test_a_number_that_serves_has_nothing_to_recover() -> None:
    assert await STEP.apply(make_both(ON_PREMISE, SERVING), make_intent()) == Blocked(
        "the number serves On-Premises; there is nothing to recover",
        "runbooks/dark-on-both-sides.md",
        Side.ON_PREMISES,
    )


@pytest.mark.parametrize(
    ("cloud", "page"),
    [
        (CloudNumber(id="1", status="DELETED"), "runbooks/not-movable.md"),
        (CloudNumber(id="1", is_on_biz_app=True), "runbooks/business-app.md"),
    ],
)
async def test_a_number_that_is_not_ours_to_move_is_blocked_and_its_side_not_judged(
    cloud: CloudNumber, page: str
) -> None:
    stop = await STEP.apply(make_both(cloud, SERVING), make_intent())
    assert isinstance(stop, Blocked)
    assert (stop.runbook, stop.side) == (page, None)


async def test_reads_that_go_backwards_are_judged_each_by_itself() -> None:
    number = make_both([ON_CLOUD, ON_PREMISE, ON_PREMISE], [UNREACHABLE, UNREACHABLE, SERVING])
    answers = await read_repeatedly(STEP, number, 3, seconds=2)
    assert kinds(answers) == ["Evidence", "Evidence", "Blocked"]
    assert [answer.side for answer in answers if isinstance(answer, Evidence | Blocked)] == [
        Side.CLOUD,
        Side.UNKNOWN,
        Side.ON_PREMISES,
    ]


async def test_a_reading_that_is_refused_is_raised() -> None:
    with pytest.raises(Rejected):
        await STEP.apply(make_both(Rejected("100", 100, SafeText("does not exist")), SERVING), make_intent())


async def test_graph_may_still_show_a_number_that_has_just_left_cloud() -> None:
    """It was registered "already", and stayed dark with its senders paused."""
    number = make_both(ON_CLOUD, NOT_SERVING)
    number.service.doubt = Doubt.PRESENCE
    stale = await STEP.apply(number, make_intent())
    number.service.doubt = Doubt.NOTHING
    assert kinds([stale, await STEP.apply(number, make_intent())]) == ["CannotTell", "Evidence"]
