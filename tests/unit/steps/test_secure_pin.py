"""A PIN is known for certain before anything is registered with it."""

from datetime import timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading
from migration.steps.outcomes import Blocked, Done, Evidence, NotDone
from migration.steps.protocol import READS_LAG, Step, StepContract
from migration.steps.secure_pin import SecurePin
from state.enums import PinProvenance, Promise
from tests.harness.fake_clients import FakeGraph, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import (
    NOT_SERVING,
    ON_PREMISE,
    PHONE_NUMBER_ID,
    POSITION,
    REFUSED,
    REGISTERED_NOWHERE,
    SEND_BY,
    SERVING,
    UNREACHABLE,
    kinds,
    make_intent,
    make_number,
    probe_repeatedly,
    reads_of_one_pass,
    reveal,
)

STEP: Step = SecurePin()
INVENTED = "992440"  # of the secret of `FakeGraph`


def pin_number(
    cloud: CloudNumber | list[Any] = ON_PREMISE, reading: OnPremReading | list[Any] | None = SERVING, **more: Any
) -> Any:
    onprem = FakeOnPrem(reading=reading) if reading is not None else None
    return make_number(FakeGraph(number=cloud), onprem, **more)


def test_contract() -> None:
    assert STEP.contract == StepContract(
        name="secure_pin", promise=Promise.REPEATABLE, fresh_for=timedelta(seconds=60), repeats_after=READS_LAG
    )


# -- check


@pytest.mark.parametrize("status", ["BANNED", "DELETED", "MIGRATED"])
async def test_a_number_that_is_not_ours_to_move_is_blocked(status: str) -> None:
    obstacle = await STEP.check(pin_number(CloudNumber(id="1", status=status)))
    assert isinstance(obstacle, Blocked)
    assert obstacle.runbook == "runbooks/not-movable.md"


@pytest.mark.parametrize(
    ("provenance", "measured", "cloud", "reading", "blocked"),
    [
        (None, "refused", ON_PREMISE, NOT_SERVING, True),
        (None, "refused", ON_PREMISE, None, True),
        (None, "refused", REGISTERED_NOWHERE, UNREACHABLE, True),
        (None, "refused", ON_PREMISE, SERVING, False),
        (PinProvenance.HANDED_IN, "refused", ON_PREMISE, UNREACHABLE, False),
        (None, "onprem_keeps", ON_PREMISE, REFUSED, True),
        (None, "onprem_keeps", REGISTERED_NOWHERE, REFUSED, False),
        (None, "accepted", ON_PREMISE, REFUSED, False),
        (None, None, ON_PREMISE, REFUSED, False),
    ],
    ids=[
        "no PIN, Graph sets none, the client is silent",
        "no PIN, Graph sets none, no client",
        "no PIN, Graph sets none, registered nowhere",
        "no PIN, but the client serves",
        "a PIN was handed in",
        "the client keeps the PIN and is gone",
        "the client would keep the PIN, and the number is not on it",
        "Graph sets one",
        "not measured: it is tried",
    ],
)
async def test_a_number_whose_pin_nothing_can_set_is_blocked(
    provenance: PinProvenance | None,
    measured: str | None,
    cloud: CloudNumber,
    reading: OnPremReading | None,
    blocked: bool,
) -> None:
    facts = {"pin_while_not_on_cloud": measured} if measured else {}
    dark = POSITION.created_at
    obstacle = await STEP.check(pin_number(cloud, reading, pin_provenance=provenance, facts=facts, dark_since=dark))
    if blocked:
        assert obstacle == Blocked("no PIN is known and nothing that could set one answers", "runbooks/pin-unknown.md")
    else:
        assert obstacle is None


# -- prepare


@pytest.mark.parametrize(
    ("reading", "route"),
    [(SERVING, "onprem"), (NOT_SERVING, "cloud"), (REFUSED, "cloud"), (UNREACHABLE, "cloud"), (None, "cloud")],
)
async def test_the_pin_is_set_where_the_number_serves(reading: OnPremReading | None, route: str) -> None:
    draft = await STEP.prepare(pin_number(reading=reading))
    assert draft.facts == {"route": route}


async def test_a_kept_pin_is_set_again() -> None:
    draft = await STEP.prepare(pin_number(secrets=FakeSecrets(pin="112233")))
    assert reveal(draft.secret["pin"]) == "112233"


async def test_without_a_kept_pin_one_is_invented() -> None:
    draft = await STEP.prepare(pin_number())
    assert reveal(draft.secret["pin"]) == INVENTED


async def test_two_homes_of_one_app_invent_the_same_pin_for_a_number_and_others_for_others() -> None:
    same = {reveal((await STEP.prepare(pin_number(randomness=bytes, ref=ref))).secret["pin"]) for ref in ("N-1", "N-2")}
    other = await STEP.prepare(pin_number(phone_number_id="100000000000009"))
    assert same == {INVENTED}
    assert reveal(other.secret["pin"]) != INVENTED


async def test_check_and_prepare_of_one_pass_read_both_sides_once() -> None:
    assert await reads_of_one_pass(STEP) == (["number"], ["reading"])


# -- probe


async def test_after_a_lost_answer_the_same_pin_is_set_again_without_a_reading() -> None:
    number = make_number()  # its fakes fail the test when they are read
    assert kinds([await STEP.probe(number, make_intent({"route": "cloud"}, {"pin": "112233"}))]) == ["NotDone"]


async def test_a_pin_of_unknown_provenance_has_to_be_set() -> None:
    number = make_number(pin_provenance=None, secrets=FakeSecrets(pin="112233"))
    assert await STEP.probe(number, None) == NotDone({"pin": "not set by us just now"})


@pytest.mark.parametrize("provenance", PinProvenance)
async def test_while_the_client_serves_a_known_pin_is_set_all_the_same(provenance: PinProvenance) -> None:
    number = pin_number(secrets=FakeSecrets(pin="112233"), pin_provenance=provenance)
    assert await STEP.probe(number, None) == NotDone({"pin": "not set by us just now"})


@pytest.mark.parametrize("provenance", PinProvenance)
@pytest.mark.parametrize("reading", [NOT_SERVING, REFUSED, UNREACHABLE, None])
async def test_off_the_client_a_kept_pin_is_good(provenance: PinProvenance, reading: OnPremReading | None) -> None:
    number = pin_number(reading=reading, secrets=FakeSecrets(pin="112233"), pin_provenance=provenance)
    assert await STEP.probe(number, None) == Done(Evidence({"provenance": provenance, "kept": True}))


async def test_with_two_step_off_an_invented_pin_is_kept() -> None:
    number = pin_number(reading=None, pin_provenance=PinProvenance.TWO_STEP_OFF_STATED)
    probe = await STEP.probe(number, None)
    assert isinstance(probe, Done)
    assert probe.evidence.facts == {"provenance": PinProvenance.TWO_STEP_OFF_STATED, "kept": False}
    assert {name: reveal(value) for name, value in probe.evidence.secrets.items()} == {"pin": INVENTED}
    assert probe.evidence.pin is None  # the provenance stays what was stated


@pytest.mark.parametrize("provenance", sorted(set(PinProvenance) - {PinProvenance.TWO_STEP_OFF_STATED}))
async def test_a_pin_that_was_lost_has_to_be_set_again(provenance: PinProvenance) -> None:
    number = pin_number(reading=None, pin_provenance=provenance)
    assert await STEP.probe(number, None) == NotDone({"pin": "lost"})


async def test_a_client_that_serves_again_after_it_was_silent_gets_its_pin_set() -> None:
    number = pin_number(reading=[SERVING, UNREACHABLE, SERVING], secrets=FakeSecrets(pin="112233"))
    assert kinds(await probe_repeatedly(STEP, number, None, 3)) == ["NotDone", "Done", "NotDone"]


# -- apply


async def test_on_premises_the_client_sets_it() -> None:
    graph, onprem = FakeGraph(), FakeOnPrem()
    evidence = await STEP.apply(make_number(graph, onprem), make_intent({"route": "onprem"}, {"pin": "112233"}))
    assert isinstance(evidence, Evidence)
    assert (evidence.facts, evidence.pin) == ({"provenance": "set_by_us"}, PinProvenance.SET_BY_US)
    assert reveal(evidence.secrets["pin"]) == "112233"
    (arguments,) = onprem.script.arguments("set_two_step")
    assert (reveal(arguments["pin"]), arguments["send_by"]) == ("112233", SEND_BY)
    assert graph.script.calls == []


async def test_elsewhere_graph_sets_it() -> None:
    graph, onprem = FakeGraph(), FakeOnPrem()
    evidence = await STEP.apply(make_number(graph, onprem), make_intent({"route": "cloud"}, {"pin": "112233"}))
    assert isinstance(evidence, Evidence)
    assert (evidence.facts, evidence.pin) == ({"provenance": "set_on_cloud"}, PinProvenance.SET_ON_CLOUD)
    assert reveal(evidence.secrets["pin"]) == "112233"
    (arguments,) = graph.script.arguments("set_pin")
    assert (arguments["phone_number_id"], reveal(arguments["pin"]), arguments["send_by"]) == (
        PHONE_NUMBER_ID,
        "112233",
        SEND_BY,
    )
    assert onprem.script.calls == []
