"""The readings that end an outage: on Cloud, and On-Premises."""

from datetime import timedelta

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import Transient
from migration.steps.confirm import Confirm
from migration.steps.confirm_onprem import ConfirmOnPrem, SmokeOnPrem
from migration.steps.outcomes import Blocked, CannotTell, Draft, Evidence, NotDone
from migration.steps.protocol import Step, StepContract
from state.enums import Party, Promise, Side
from tests.harness.hand_made_number import (
    COMING_UP,
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    ON_CLOUD,
    ON_PREMISE,
    REFUSED,
    REGISTERED_NOWHERE,
    SERVING,
    UNREACHABLE,
    kinds,
    later,
    make_both,
    make_intent,
    read_repeatedly,
)

CONFIRM: Step = Confirm()
CONFIRM_ONPREM: Step = ConfirmOnPrem()
SMOKE_ONPREM: Step = SmokeOnPrem()
PAGE = "runbooks/dark-on-both-sides.md"


@pytest.mark.parametrize(
    ("step", "name"),
    [(CONFIRM, "confirm"), (CONFIRM_ONPREM, "confirm_onprem"), (SMOKE_ONPREM, "smoke_onprem")],
)
async def test_contract(step: Step, name: str) -> None:
    assert step.contract == StepContract(name=name, promise=Promise.READ, reads_side=True)
    number = make_both([], [])
    assert await step.check(number) is None
    assert await step.prepare(number) == Draft()
    assert await step.probe(number, None) == NotDone({})


# -- on Cloud


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
async def test_cloud_shown_and_the_client_off_confirms_it(reading: OnPremReading | None) -> None:
    evidence = await CONFIRM.apply(make_both(ON_CLOUD, reading), make_intent())
    assert isinstance(evidence, Evidence)
    assert evidence.side is Side.CLOUD
    assert evidence.facts["cloud_status"] == "CONNECTED"


@pytest.mark.parametrize(
    ("cloud", "reading"),
    [(ON_CLOUD, SERVING), (COMING_UP, REFUSED), (ON_PREMISE, SERVING), (REGISTERED_NOWHERE, None)],
    ids=["both sides claim it", "coming up", "still On-Premises", "nowhere"],
)
async def test_anything_else_is_read_again_in_a_second(cloud: CloudNumber, reading: OnPremReading | None) -> None:
    answer = await CONFIRM.apply(make_both(cloud, reading), make_intent())
    assert answer == CannotTell(
        NOW + timedelta(seconds=1),
        "registered, but not connected yet",
        {"since": NOW.isoformat()},
        Party.META,
    )


def since(step: str, seconds_ago: float) -> dict[str, dict[str, str]]:
    return {step: {"since": (NOW - timedelta(seconds=seconds_ago)).isoformat()}}


async def test_confirm_gives_up_after_five_minutes() -> None:
    last = await CONFIRM.apply(make_both(COMING_UP, REFUSED, notes=since("confirm", 300)), make_intent())
    assert isinstance(last, CannotTell)
    stop = await CONFIRM.apply(make_both(COMING_UP, REFUSED, notes=since("confirm", 301)), make_intent())
    assert isinstance(stop, Blocked)
    assert (stop.runbook, stop.side) == (PAGE, None)
    assert "PENDING" in stop.reason


@pytest.mark.parametrize(("waited", "pause"), [(0, 1), (9, 1), (20, 2), (150, 15), (250, 20), (300, 20)])
async def test_confirm_reads_less_often_the_longer_it_takes(waited: int, pause: int) -> None:
    answer = await CONFIRM.apply(make_both(COMING_UP, REFUSED, notes=since("confirm", waited)), make_intent())
    assert isinstance(answer, CannotTell)
    assert answer.recheck_at == NOW + timedelta(seconds=pause)
    assert answer.note == since("confirm", waited)["confirm"]


async def test_confirm_keeps_counting_from_its_first_reading() -> None:
    number = make_both(COMING_UP, REFUSED)
    answers = await read_repeatedly(CONFIRM, number, 4, seconds=150)
    assert kinds(answers) == ["CannotTell", "CannotTell", "CannotTell", "Blocked"]


async def test_cloud_that_comes_and_goes_is_confirmed_by_the_reading_that_shows_it() -> None:
    number = make_both([COMING_UP, ON_PREMISE, ON_CLOUD], [UNREACHABLE, SERVING, REFUSED])
    assert kinds(await read_repeatedly(CONFIRM, number, 3, seconds=2)) == ["CannotTell", "CannotTell", "Evidence"]


@pytest.mark.parametrize("step", [CONFIRM, CONFIRM_ONPREM, SMOKE_ONPREM])
async def test_a_reading_that_fails_is_raised(step: Step) -> None:
    with pytest.raises(Transient):
        await step.apply(make_both(Transient("503"), SERVING), make_intent())


# -- On-Premises

ONPREM_STEPS = pytest.mark.parametrize("step", [CONFIRM_ONPREM, SMOKE_ONPREM], ids=["confirm_onprem", "smoke_onprem"])


@ONPREM_STEPS
@pytest.mark.parametrize("cloud", [ON_PREMISE, DISCONNECTED, REGISTERED_NOWHERE, COMING_UP])
async def test_a_client_that_serves_confirms_it(step: Step, cloud: CloudNumber) -> None:
    evidence = await step.apply(make_both(cloud, SERVING), make_intent())
    assert isinstance(evidence, Evidence)
    assert (evidence.side, evidence.facts["onprem"]) == (Side.ON_PREMISES, "serving")


@ONPREM_STEPS
@pytest.mark.parametrize(
    ("cloud", "reading"),
    [(ON_CLOUD, SERVING), (ON_CLOUD, REFUSED), (DISCONNECTED, NOT_SERVING), (DISCONNECTED, UNREACHABLE)],
)
async def test_on_premises_anything_else_is_read_again_in_three_seconds(
    step: Step, cloud: CloudNumber, reading: OnPremReading
) -> None:
    answer = await step.apply(make_both(cloud, reading), make_intent())
    assert answer == CannotTell(
        NOW + timedelta(seconds=3), "not serving On-Premises yet", {"since": NOW.isoformat()}, Party.META
    )


@pytest.mark.parametrize(
    ("step", "reading", "patience"),
    [
        (CONFIRM_ONPREM, UNREACHABLE, 30),
        (CONFIRM_ONPREM, REFUSED, 30),
        (CONFIRM_ONPREM, NOT_SERVING, 5),
        (SMOKE_ONPREM, UNREACHABLE, 60),
        (SMOKE_ONPREM, NOT_SERVING, 5),
    ],
)
async def test_a_client_that_says_itself_that_it_is_off_is_given_less_time(
    step: Step, reading: OnPremReading, patience: int
) -> None:
    async def answer_after(seconds: int) -> Evidence | CannotTell | Blocked:
        number = make_both(DISCONNECTED, reading, notes=since(step.contract.name, seconds))
        return await step.apply(number, make_intent())

    assert isinstance(await answer_after(patience), CannotTell)
    stop = await answer_after(patience + 1)
    assert isinstance(stop, Blocked)
    assert (stop.runbook, stop.side) == (PAGE, None)
    assert stop.reason.startswith("the number does not serve On-Premises: ")


@ONPREM_STEPS
async def test_serving_then_unreachable_then_serving(step: Step) -> None:
    number = make_both(DISCONNECTED, [UNREACHABLE, NOT_SERVING, SERVING])
    assert kinds(await read_repeatedly(step, number, 3, seconds=2)) == ["CannotTell", "CannotTell", "Evidence"]
    again = make_both(DISCONNECTED, [SERVING, UNREACHABLE, SERVING])
    assert kinds([await step.apply(later(again, 2), make_intent()) for _ in range(3)]) == [
        "Evidence",
        "CannotTell",
        "Evidence",
    ]
