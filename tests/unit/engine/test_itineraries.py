"""Rules that every itinerary keeps, and the order of its steps."""

from datetime import timedelta

import pytest

from migration.engine.itineraries import FORWARD, ITINERARIES, Itinerary, ItineraryName, ItineraryStep, itinerary_named
from migration.steps.outcomes import Blocked
from state.enums import Promise, Side, Status
from state.ledger.call_budgets import GATED
from tests.harness.fake_clients import FakeHooks, FakeSecrets
from tests.harness.hand_made_number import ON_PREMISE, SERVING, make_both, make_number

AFTER_REGISTER = ["confirm", "switch_route", "send_smoke", "prove_smoke", "resume_sends", "restore_profile"]
ORDER = {
    "WITH_BACKUP": [
        *["snapshot", "secure_pin", "back_up", "subscribe", "set_storage", "pause_sends", "drain", "register"],
        *AFTER_REGISTER,
        "deregister_onprem",
    ],
    "CODE_FIRST": [
        *["snapshot", "secure_pin", "back_up", "subscribe", "set_storage", "request_code", "verify_code"],
        *["pause_sends", "drain", "deregister_onprem", "register"],
        *AFTER_REGISTER,
    ],
    "CODE_AFTER": [
        *["snapshot", "secure_pin", "back_up", "subscribe", "set_storage", "pause_sends", "drain"],
        *["deregister_onprem", "request_code", "verify_code", "register"],
        *AFTER_REGISTER,
    ],
    "ONBOARD": [
        *["subscribe", "set_storage", "secure_pin", "request_code", "verify_code", "register"],
        *["confirm", "send_smoke", "prove_smoke", "restore_profile"],
    ],
    "BACK_TO_ONPREM": [
        *["pause_sends", "deregister_cloud", "start_onprem", "restore_onprem", "restart_onprem", "confirm_onprem"],
        *["request_code_onprem", "verify_code_onprem", "smoke_onprem", "switch_route", "resume_sends"],
    ],
    "FORWARD_RECOVERY": [
        *["read_both_sides", "secure_pin", "request_code", "verify_code", "register"],
        *AFTER_REGISTER,
    ],
    "ABORT": ["switch_route", "resume_sends"],
}
OPTIONAL = {
    "WITH_BACKUP": {"restore_profile"},
    "CODE_FIRST": {"back_up", "restore_profile"},
    "CODE_AFTER": {"snapshot", "back_up", "drain", "restore_profile"},
    "ONBOARD": {"restore_profile"},
    "BACK_TO_ONPREM": {"restore_onprem", "restart_onprem", "confirm_onprem"},
    "FORWARD_RECOVERY": {"restore_profile"},
    "ABORT": set(),
}
CHANGES_SIDE = {
    "WITH_BACKUP": {"register"},
    "CODE_FIRST": {"deregister_onprem", "register"},
    "CODE_AFTER": {"deregister_onprem", "register"},
    "ONBOARD": {"register"},
    "BACK_TO_ONPREM": {"deregister_cloud", "restore_onprem", "verify_code_onprem"},
    "FORWARD_RECOVERY": {"register"},
    "ABORT": set(),
}
# How much of a window must be left at each gate, in minutes.
GATES = {
    "WITH_BACKUP": {"pause_sends": 3, "register": 2},
    "CODE_FIRST": {"pause_sends": 3, "deregister_onprem": 2, "register": 2},
    "CODE_AFTER": {"pause_sends": 13, "deregister_onprem": 12, "register": 2},
    "ONBOARD": {"register": 3},
    "BACK_TO_ONPREM": {"deregister_cloud": 2},
    "FORWARD_RECOVERY": {"register": 2},
    "ABORT": {},
}

ALL = pytest.mark.parametrize("itinerary", ITINERARIES.values(), ids=list(ITINERARIES))


def names(itinerary: Itinerary) -> list[str]:
    return [entry.name for entry in itinerary.steps]


def those_with(step: str) -> list[Itinerary]:
    return [itinerary for itinerary in ITINERARIES.values() if itinerary.has(step)]


def test_every_name_has_its_itinerary() -> None:
    assert set(ITINERARIES) == set(ItineraryName) == set(ORDER)
    assert all(itinerary_named(name.value).name is name for name in ItineraryName)
    assert [itinerary.name for itinerary in FORWARD] == ["WITH_BACKUP", "CODE_FIRST", "CODE_AFTER", "ONBOARD"]


def test_a_name_that_is_no_itinerary_is_refused() -> None:
    with pytest.raises(ValueError, match="SIDEWAYS"):
        itinerary_named("SIDEWAYS")


@ALL
def test_the_steps_and_their_places(itinerary: Itinerary) -> None:
    name = itinerary.name
    assert names(itinerary) == ORDER[name]
    assert {entry.name for entry in itinerary.steps if entry.optional} == OPTIONAL[name]
    assert {entry.name for entry in itinerary.steps if entry.changes_side} == CHANGES_SIDE[name]


@ALL
def test_every_gate_asks_for_the_time_that_the_cutover_takes_from_there(itinerary: Itinerary) -> None:
    gates = {entry.name: entry.fits_in / timedelta(minutes=1) for entry in itinerary.steps if entry.gated}
    assert gates == GATES[itinerary.name]
    assert list(gates.values()) == sorted(gates.values(), reverse=True)  # a window with room at the pause keeps it


@ALL
def test_where_it_ends(itinerary: Itinerary) -> None:
    ends = {"BACK_TO_ONPREM": (Status.DONE, Side.ON_PREMISES), "ABORT": (Status.ABORTED, None)}
    assert (itinerary.ends_as, itinerary.goes_to) == ends.get(itinerary.name, (Status.DONE, Side.CLOUD))


# -- rules


@ALL
def test_a_step_stands_once(itinerary: Itinerary) -> None:
    assert len(set(names(itinerary))) == len(itinerary.steps)


def test_one_name_is_one_kind_of_step() -> None:
    kinds: dict[str, type] = {}
    for itinerary in ITINERARIES.values():
        for entry in itinerary.steps:
            assert kinds.setdefault(entry.name, type(entry.step)) is type(entry.step)


@ALL
def test_nothing_irreversible_comes_before_the_backup(itinerary: Itinerary) -> None:
    if itinerary.has("back_up"):
        assert not any(entry.changes_side for entry in itinerary.before("back_up"))


@pytest.mark.parametrize("itinerary", those_with("register"), ids=lambda itinerary: itinerary.name)
def test_register_comes_after_a_secured_pin_and_is_confirmed_next(itinerary: Itinerary) -> None:
    before = [entry.name for entry in itinerary.before("register")]
    assert "secure_pin" in before
    assert not itinerary.at("secure_pin").optional
    assert itinerary.after("register") == "confirm"


@pytest.mark.parametrize("itinerary", those_with("register"), ids=lambda itinerary: itinerary.name)
async def test_only_with_backup_registers_with_one(itinerary: Itinerary) -> None:
    obstacle = await itinerary.at("register").step.check(
        make_both(ON_PREMISE, SERVING, secrets=FakeSecrets(pin="112233"))
    )
    assert isinstance(obstacle, Blocked) is (itinerary.name == "WITH_BACKUP")
    if itinerary.name == "WITH_BACKUP":
        assert not itinerary.at("back_up").optional


@pytest.mark.parametrize("itinerary", those_with("pause_sends"), ids=lambda itinerary: itinerary.name)
def test_senders_are_paused_before_the_number_leaves_its_side_and_resumed_in_the_end(itinerary: Itinerary) -> None:
    order = names(itinerary)
    changes = [order.index(entry.name) for entry in itinerary.steps if entry.changes_side]
    assert order.index("pause_sends") < min(changes)
    assert max(changes) < order.index("switch_route") < order.index("resume_sends")
    assert not itinerary.at("pause_sends").optional
    assert not itinerary.at("resume_sends").optional


@pytest.mark.parametrize("itinerary", those_with("resume_sends"), ids=lambda itinerary: itinerary.name)
def test_senders_learn_the_route_before_they_go_on(itinerary: Itinerary) -> None:
    order = names(itinerary)
    assert order.index("switch_route") < order.index("resume_sends")


@pytest.mark.parametrize("name", ["verify_code", "verify_code_onprem"])
def test_a_code_is_verified_right_after_it_was_asked_for(name: str) -> None:
    for itinerary in those_with(name):
        assert itinerary.after(name.replace("verify", "request")) == name


def test_storage_and_subscription_come_before_register_while_they_can_be_set() -> None:
    for itinerary in FORWARD:
        before = {entry.name for entry in itinerary.before("register")}
        assert {"subscribe", "set_storage"} <= before


def test_a_smoke_message_is_proved_next() -> None:
    for itinerary in those_with("send_smoke"):
        assert itinerary.after("send_smoke") == "prove_smoke"


@ALL
def test_whatever_costs_a_call_of_the_budget_is_gated_and_changes_the_side(itinerary: Itinerary) -> None:
    for entry in itinerary.steps:
        if entry.step.contract.budget is not None:
            assert entry.gated
            assert entry.changes_side


@ALL
def test_a_call_that_moves_the_number_is_probed(itinerary: Itinerary) -> None:
    for entry in itinerary.steps:
        if entry.changes_side and entry.gated:
            assert entry.step.contract.promise is Promise.PROBED
            assert not entry.optional


@ALL
def test_a_step_that_only_reads_changes_no_side(itinerary: Itinerary) -> None:
    for entry in itinerary.steps:
        if entry.step.contract.promise is Promise.READ:
            assert not entry.changes_side
            assert not entry.gated


def test_stopping_the_client_is_the_cutover_before_register_and_a_mere_fence_after_it() -> None:
    for itinerary in those_with("deregister_onprem"):
        fence = "register" in [entry.name for entry in itinerary.before("deregister_onprem")]
        assert itinerary.at("deregister_onprem").changes_side is not fence
        assert itinerary.at("deregister_onprem").gated is not fence


@pytest.mark.parametrize(
    ("name", "side", "target"),
    [
        *[(name, Side.ON_PREMISES, "cloud") for name in ("WITH_BACKUP", "CODE_FIRST", "CODE_AFTER")],
        ("FORWARD_RECOVERY", Side.NEITHER, "cloud"),
        ("BACK_TO_ONPREM", Side.CLOUD, "on_premises"),
        ("ABORT", Side.ON_PREMISES, "on_premises"),
        ("ABORT", Side.CLOUD, "cloud"),
    ],
)
async def test_every_announcement_names_the_side_where_the_itinerary_goes(name: str, side: Side, target: str) -> None:
    number = make_number(hooks=FakeHooks(), side=side)
    for entry in itinerary_named(name).steps:
        if entry.step.contract.notifies_senders:
            draft = await entry.step.prepare(number)
            assert draft.facts["body"]["to"] == target


def test_an_abort_only_announces() -> None:
    abort = itinerary_named("ABORT")
    assert all(entry.step.contract.notifies_senders for entry in abort.steps)
    assert not any(entry.gated or entry.changes_side or entry.optional for entry in abort.steps)


# -- looking up


def test_looking_up_a_step() -> None:
    itinerary = itinerary_named("WITH_BACKUP")
    assert itinerary.first == "snapshot"
    assert itinerary.at("register").name == "register"
    assert itinerary.has("register")
    assert not itinerary.has("request_code")
    assert [entry.name for entry in itinerary.before("back_up")] == ["snapshot", "secure_pin"]
    assert itinerary.before("snapshot") == ()
    assert itinerary.after("snapshot") == "secure_pin"
    assert itinerary.after("deregister_onprem") is None


def test_a_step_that_the_itinerary_does_not_have() -> None:
    with pytest.raises(KeyError, match="WITH_BACKUP has no step request_code"):
        itinerary_named("WITH_BACKUP").at("request_code")
    with pytest.raises(ValueError, match=r"not in tuple"):
        itinerary_named("WITH_BACKUP").after("request_code")


def test_a_place_is_nothing_special_where_nothing_is_said() -> None:
    entry = ItineraryStep("confirm")
    assert (entry.optional, entry.changes_side, entry.gated, entry.fits_in) == (False, False, False, timedelta())


def test_the_ledger_knows_the_steps_before_which_a_number_may_wait_for_calls() -> None:
    entries = [entry for itinerary in ITINERARIES.values() for entry in itinerary.steps]
    assert set(GATED) == {entry.name for entry in entries if entry.gated}
