"""`register` is the cutover: what must be there before it, and what proves that it had its effect, or had none."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.errors import OutcomeUnknown
from migration.steps.both_sides import UNCLEAR_FOR, UNCLEAR_PAGE
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Waiting
from migration.steps.protocol import Step, StepContract
from migration.steps.register import Register
from state.enums import PinProvenance, Promise, Side
from tests.harness.fake_clients import FakeGraph, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import (
    COMING_UP,
    DISCONNECTED,
    NOT_SERVING,
    NOW,
    OF_ANOTHER,
    ON_CLOUD,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    REFUSED,
    REGISTERED_NOWHERE,
    SEND_BY,
    SERVING,
    UNCLEAR,
    UNREACHABLE,
    kinds,
    make_both,
    make_intent,
    make_number,
    probe_repeatedly,
    reveal,
)

WITH_BACKUP: Step = Register(with_backup=True)
WITHOUT: Step = Register(with_backup=False)
BOTH_KINDS = pytest.mark.parametrize("step", [WITH_BACKUP, WITHOUT], ids=["with backup", "without"])

BACKUP = json.dumps({"data": "blob", "password": "p4ss"})
DUE = NOW + timedelta(seconds=55)
LAG = timedelta(seconds=60)  # how long Graph may go on showing what was true before a write


def intent(onprem_before: str = "serving") -> Intent:
    return make_intent({"has_backup": True, "onprem_before": onprem_before}, {"pin": "112233"}, answer_due=DUE)


@BOTH_KINDS
def test_contract(step: Step) -> None:
    assert step.contract == StepContract(
        name="register",
        promise=Promise.PROBED,
        longest_call=timedelta(seconds=50),
        budget="register",
        reads_lag=timedelta(seconds=60),
        moves_to=Side.CLOUD,
    )


# -- check


@BOTH_KINDS
async def test_a_pin_of_unknown_provenance_is_never_sent(step: Step) -> None:
    number = make_number(pin_provenance=None, secrets=FakeSecrets(pin="112233", backup=BACKUP))
    assert await step.check(number) == Blocked(
        "the PIN is of unknown provenance; a wrong one takes the number down", "runbooks/pin-unknown.md"
    )


@BOTH_KINDS
async def test_a_pin_that_was_lost_blocks(step: Step) -> None:
    obstacle = await step.check(make_number(secrets=FakeSecrets(backup=BACKUP)))
    assert isinstance(obstacle, Blocked)
    assert obstacle.runbook == "runbooks/pin-unknown.md"


@BOTH_KINDS
@pytest.mark.parametrize("provenance", PinProvenance)
async def test_with_pin_and_backup_nothing_stands_against_it(step: Step, provenance: PinProvenance) -> None:
    secrets = FakeSecrets(pin="112233", backup=BACKUP)
    assert await step.check(make_both(ON_PREMISE, SERVING, pin_provenance=provenance, secrets=secrets)) is None


async def test_a_number_whose_client_is_another_one_s_does_not_cross() -> None:
    secrets = FakeSecrets(pin="112233", backup=BACKUP)
    blocked = await WITH_BACKUP.check(make_both(ON_PREMISE, OF_ANOTHER, secrets=secrets))
    assert isinstance(blocked, Blocked)
    assert "is not its own" in blocked.reason
    assert await WITH_BACKUP.check(make_both(ON_PREMISE, OF_ANOTHER, secrets=secrets, crossed_at=NOW)) is None


async def test_a_register_with_backup_needs_one() -> None:
    number = make_both(ON_PREMISE, SERVING, secrets=FakeSecrets(pin="112233"))
    assert await WITH_BACKUP.check(number) == Blocked("there is no backup to register with", "runbooks/no-backup.md")
    assert await WITHOUT.check(number) is None


ONBOARDED = NOW - timedelta(days=14)


@pytest.mark.parametrize(
    ("onboarded", "too_late"),
    [
        (ONBOARDED, False),
        (ONBOARDED - timedelta(seconds=1), True),
        (NOW - timedelta(days=40), True),
        (None, False),
    ],
    ids=["on the last day", "a second too late", "long ago", "not shown"],
)
async def test_embedded_signup_ends_after_fourteen_days(onboarded: datetime | None, too_late: bool) -> None:
    cloud = REGISTERED_NOWHERE.model_copy(update={"last_onboarded_time": onboarded})
    number = make_both(cloud, None, secrets=FakeSecrets(pin="112233"), itinerary="ONBOARD")
    obstacle = await WITHOUT.check(number)
    if too_late:
        assert isinstance(obstacle, Blocked)
        assert obstacle.runbook == "runbooks/embedded-signup-again.md"
    else:
        assert obstacle is None


async def test_a_time_of_the_signup_that_cannot_be_read_is_not_in_time() -> None:
    cloud = CloudNumber.model_validate(REGISTERED_NOWHERE.model_dump() | {"last_onboarded_time": "1e999"})
    number = make_both(cloud, None, secrets=FakeSecrets(pin="112233"), itinerary="ONBOARD")
    obstacle = await WITHOUT.check(number)
    assert obstacle == Blocked("when Embedded Signup was cannot be read", "runbooks/embedded-signup-again.md")


async def test_the_sentence_counts_the_days_since_the_signup() -> None:
    cloud = REGISTERED_NOWHERE.model_copy(update={"last_onboarded_time": NOW - timedelta(days=15, hours=3)})
    number = make_both(cloud, None, secrets=FakeSecrets(pin="112233"), itinerary="ONBOARD")
    obstacle = await WITHOUT.check(number)
    assert isinstance(obstacle, Blocked)
    assert obstacle.reason == "Embedded Signup was 15 days ago; it has to be gone through again"


# -- prepare


async def test_the_draft_carries_pin_and_backup_and_how_the_client_was_before() -> None:
    number = make_both(ON_PREMISE, SERVING, secrets=FakeSecrets(pin="112233", backup=BACKUP))
    draft = await WITH_BACKUP.prepare(number)
    assert draft.facts == {"has_backup": True, "onprem_before": "serving"}
    assert {name: reveal(value) for name, value in draft.secret.items()} == {"pin": "112233", "backup": BACKUP}


async def test_without_backup_none_is_opened() -> None:
    secrets = FakeSecrets(pin="112233", backup=BACKUP)
    draft = await WITHOUT.prepare(make_both(ON_PREMISE, NOT_SERVING, secrets=secrets))
    assert draft.facts == {"has_backup": False, "onprem_before": "not_serving"}
    assert list(draft.secret) == ["pin"]
    assert secrets.script.arguments("open") == [{"name": "pin"}]


async def test_a_secret_that_is_missing_is_left_out_of_the_draft() -> None:
    draft = await WITH_BACKUP.prepare(make_both(ON_PREMISE, None))
    assert draft == Draft({"has_backup": True, "onprem_before": "no instance"})


# -- probe before a first attempt


@BOTH_KINDS
@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_on_cloud_and_not_served_by_the_client_it_is_done(
    step: Step, reading: OnPremReading | None, before_an_attempt: bool
) -> None:
    number = make_both(ON_CLOUD, reading)
    probe = await step.probe(number, None if before_an_attempt else intent())
    assert isinstance(probe, Done)
    assert probe.evidence.side is Side.CLOUD
    assert probe.evidence.facts["cloud_platform"] == "CLOUD_API"


@BOTH_KINDS
@pytest.mark.parametrize("before_an_attempt", [True, False])
async def test_both_sides_claiming_the_number_prove_nothing(step: Step, before_an_attempt: bool) -> None:
    probe = await step.probe(make_both(ON_CLOUD, SERVING), None if before_an_attempt else intent())
    assert probe == CannotTell(NOW + timedelta(seconds=2), "both sides claim the number")


@BOTH_KINDS
@pytest.mark.parametrize(
    ("cloud", "reading", "side"),
    [
        (ON_PREMISE, SERVING, Side.ON_PREMISES),
        (ON_PREMISE, NOT_SERVING, Side.NEITHER),
        (ON_PREMISE, UNREACHABLE, Side.UNKNOWN),
        (REGISTERED_NOWHERE, None, Side.NEITHER),
        (COMING_UP, UNREACHABLE, Side.UNKNOWN),
    ],
)
async def test_before_a_first_attempt_it_is_not_done_and_the_side_is_read(
    step: Step, cloud: CloudNumber, reading: OnPremReading | None, side: Side
) -> None:
    probe = await step.probe(make_both(cloud, reading), None)
    assert isinstance(probe, NotDone)
    assert probe.side is side


# -- probe of an open attempt


@BOTH_KINDS
@pytest.mark.parametrize("cloud", [COMING_UP, CloudNumber(id=PHONE_NUMBER_ID), UNCLEAR])
async def test_a_client_that_serves_proves_nothing_while_graph_does_not_show_it_off_cloud(
    step: Step, cloud: CloudNumber
) -> None:
    assert isinstance(await step.probe(make_both(cloud, SERVING), intent()), CannotTell)


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
@pytest.mark.parametrize("cloud", [COMING_UP, CloudNumber(id=PHONE_NUMBER_ID), UNCLEAR])
async def test_a_lost_call_is_not_believed_away_while_graph_does_not_show_it_off_cloud(
    cloud: CloudNumber, reading: OnPremReading | None
) -> None:
    number = make_both(cloud, reading, now=DUE + timedelta(hours=3))
    assert isinstance(await WITHOUT.probe(number, intent("refused")), CannotTell)


@BOTH_KINDS
async def test_graph_that_does_not_tell_is_read_again_and_then_a_person_decides(step: Step) -> None:
    secrets = FakeSecrets(pin="112233", backup="{}")
    number = make_number(FakeGraph(number=UNCLEAR), FakeOnPrem(reading=SERVING), secrets=secrets)
    waiting = await step.check(number)
    assert isinstance(waiting, Waiting)
    assert "status UNKNOWN on platform CLOUD_API" in waiting.reason
    assert waiting.note is not None
    since = {"register": dict(waiting.note)}
    late = make_number(
        FakeGraph(number=UNCLEAR),
        FakeOnPrem(reading=SERVING),
        secrets=secrets,
        notes=since,
        now=NOW + UNCLEAR_FOR + timedelta(seconds=1),
    )
    stop = await step.check(late)
    assert isinstance(stop, Blocked)
    assert stop.runbook == UNCLEAR_PAGE


@BOTH_KINDS
@pytest.mark.parametrize("cloud", [ON_PREMISE, DISCONNECTED])
async def test_a_client_that_serves_proves_that_the_call_had_no_effect(step: Step, cloud: CloudNumber) -> None:
    probe = await step.probe(make_both(cloud, SERVING), intent())
    assert isinstance(probe, NotDone)
    assert probe.side is None
    assert probe.witnesses["onprem"] == "serving"


@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
@pytest.mark.parametrize("after", [timedelta(), LAG, timedelta(hours=3)])
async def test_a_client_that_went_down_under_a_register_with_backup_never_proves_that_it_had_no_effect(
    reading: OnPremReading | None, after: timedelta
) -> None:
    probe = await WITH_BACKUP.probe(make_both(REGISTERED_NOWHERE, reading, now=DUE + after), intent("serving"))
    assert isinstance(probe, CannotTell)
    assert probe.reason == "On-Premises is down and Cloud is not up yet"


@pytest.mark.parametrize("onprem_before", ["not_serving", "refused", "unreachable", "no instance"])
@pytest.mark.parametrize("step", [WITH_BACKUP, WITHOUT], ids=["with backup", "without"])
async def test_a_number_that_was_dark_before_is_not_done_once_reads_can_lag_no_more(
    step: Step, onprem_before: str
) -> None:
    early = await step.probe(
        make_both(ON_PREMISE, UNREACHABLE, now=DUE + LAG - timedelta(seconds=1)), intent(onprem_before)
    )
    assert isinstance(early, CannotTell)
    assert early.reason == "no answer, and not on Cloud yet"
    late = await step.probe(make_both(ON_PREMISE, UNREACHABLE, now=DUE + LAG), intent(onprem_before))
    assert isinstance(late, NotDone)
    assert late.witnesses["read_at"] == (DUE + LAG).isoformat()


async def test_without_backup_the_client_that_served_before_says_nothing() -> None:
    """Without a backup `register` does not take the client down; it may have gone by itself."""
    late = await WITHOUT.probe(make_both(ON_PREMISE, UNREACHABLE, now=DUE + LAG), intent("serving"))
    assert isinstance(late, NotDone)


@pytest.mark.parametrize(
    ("stated", "now", "not_done"),
    [
        (NOW + timedelta(seconds=1), DUE + LAG, True),
        (NOW + timedelta(seconds=1), DUE + LAG - timedelta(seconds=1), False),
        (NOW, DUE + LAG, False),
        (NOW - timedelta(days=1), DUE + LAG, False),
        (None, DUE + LAG, False),
    ],
    ids=["stated since, lag passed", "stated since, too early", "stated at the intent", "stated before", "not stated"],
)
async def test_a_person_who_states_since_that_the_client_is_off_explains_why_it_is_down(
    stated: datetime | None, now: datetime, not_done: bool
) -> None:
    number = make_both(
        REGISTERED_NOWHERE,
        UNREACHABLE,
        now=now,
        onprem_off_stated_by="ana" if stated else None,
        onprem_off_stated_at=stated,
    )
    probe = await WITH_BACKUP.probe(number, intent("serving"))
    if not_done:
        assert isinstance(probe, NotDone)
        assert probe.witnesses["off_stated_by"] == "ana"
    else:
        assert isinstance(probe, CannotTell)


@BOTH_KINDS
@pytest.mark.parametrize(("seconds", "pause"), [(0, 2), (19, 2), (30, 3), (100, 10), (200, 20), (3000, 20)])
async def test_an_open_attempt_is_read_less_often_the_longer_it_is_open(step: Step, seconds: int, pause: int) -> None:
    """A WABA without traffic has 200 calls an hour; none would be left when the number comes up."""
    now = NOW + timedelta(seconds=seconds)
    open_long = make_intent({"onprem_before": "serving"}, answer_due=NOW + timedelta(hours=1))
    probe = await step.probe(make_both(COMING_UP, UNREACHABLE, now=now), open_long)
    assert isinstance(probe, CannotTell)
    assert probe.recheck_at == now + timedelta(seconds=pause)


# -- reads that go backwards


async def test_cloud_coming_and_going_proves_nothing_while_the_client_is_down() -> None:
    number = make_both([ON_PREMISE, COMING_UP, ON_PREMISE, ON_CLOUD], UNREACHABLE)
    assert kinds(await probe_repeatedly(WITH_BACKUP, number, intent(), 4)) == [*["CannotTell"] * 3, "Done"]


async def test_a_client_that_is_silent_between_two_readings_that_serve() -> None:
    number = make_both(ON_PREMISE, [SERVING, UNREACHABLE, SERVING])
    assert kinds(await probe_repeatedly(WITH_BACKUP, number, intent(), 3)) == ["NotDone", "CannotTell", "NotDone"]


async def test_a_client_that_still_claims_the_number_beside_cloud_holds_up_the_proof() -> None:
    number = make_both(ON_CLOUD, [SERVING, SERVING, REFUSED])
    assert kinds(await probe_repeatedly(WITH_BACKUP, number, intent(), 3)) == ["CannotTell", "CannotTell", "Done"]


async def test_every_pass_reads_both_sides_once() -> None:
    graph, onprem = FakeGraph(number=ON_PREMISE), FakeOnPrem(reading=SERVING)
    number = make_number(graph, onprem, secrets=FakeSecrets(pin="112233", backup=BACKUP))
    await WITH_BACKUP.probe(number, None)
    await WITH_BACKUP.prepare(number)
    assert (graph.script.names(), onprem.script.names()) == (["number"], ["reading"])


# -- apply


async def register(step: Step, **secret: str) -> dict[str, Any]:
    graph = FakeGraph()
    evidence = await step.apply(make_number(graph), make_intent(secret=secret))
    assert evidence == Evidence({"accepted": True})  # no side: only a reading shows that
    (arguments,) = graph.script.arguments("register")
    return dict(arguments)


async def test_apply_registers_once_with_the_backup_of_the_intent() -> None:
    arguments = await register(WITH_BACKUP, pin="112233", backup=BACKUP)
    assert arguments["phone_number_id"] == PHONE_NUMBER_ID
    assert arguments["send_by"] == SEND_BY
    assert reveal(arguments["pin"]) == "112233"
    assert (reveal(arguments["backup"].data), reveal(arguments["backup"].password)) == ("blob", "p4ss")


async def test_apply_without_backup_sends_none() -> None:
    assert (await register(WITHOUT, pin="112233"))["backup"] is None


async def test_a_lost_answer_is_raised_and_nothing_is_sent_again() -> None:
    graph = FakeGraph(register=OutcomeUnknown("no answer"))
    with pytest.raises(OutcomeUnknown):
        await WITH_BACKUP.apply(make_number(graph), make_intent(secret={"pin": "112233"}))
    assert graph.script.names() == ["register"]
