"""Random histories: a number is on one platform at a time, nothing fails, and the same seed gives the same history."""

import json
from typing import Any, Literal, get_args, get_origin

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.onprem.operator_actions import ACTIONS as HANDS
from sandbox.open_questions import switch_specs
from sandbox.scenarios.kinds import KINDS, TYPES
from sandbox.world.whatsapp_manager import ACTIONS
from tests.sandbox.history import History

PINS = ("right", "000000", "12", None)
BACKUPS = ("none", "fresh", "kept", "garbled")

# Most faults show after a successful move, or on a way back from it, so these steps come more often.
successes = st.sampled_from([("register", "right", "fresh"), ("come_back",), ("restored",), ("verified",)])
steps = st.one_of(
    successes,
    successes,
    st.tuples(st.just("register"), st.sampled_from(PINS), st.sampled_from(BACKUPS)),
    st.tuples(st.sampled_from(["deregister", "request_code", "verify", "wrong_code", "set_pin", "message", "wait"])),
    st.tuples(st.sampled_from(["back_up", "restore", "account", "verify_account", "two_step", "two_step_off"])),
    st.just(("other_client",)),
    st.tuples(
        st.just("do"),
        st.sampled_from(HANDS),
    ),
    st.tuples(st.just("fault"), st.sampled_from(["lost_answer", "500", "reset_before", "lag"])),
    st.tuples(st.just("manager"), st.sampled_from(sorted(ACTIONS))),
    st.tuples(st.just("webhooks"), st.sampled_from(["app", "waba", "phone", "client", "inbound", "taken", "refused"])),
)
histories = st.lists(steps, min_size=2, max_size=25)
worlds = st.sampled_from(["open", "closing", "after-sunset"])
kinds = st.sampled_from(sorted(KINDS))
# A fleet may start in any state: some parts of a row, whether they make sense together or not.
PARTS = {
    name: (True, False) if kind is bool else get_args(kind)
    for name, kind in TYPES.items()
    if kind is bool or get_origin(kind) is Literal
}
# Values for a switch that takes any number, and for one that takes a share.
SOME_NUMBERS = ("0", "1", "8", "90")
SOME_SHARES = ("0", "0.5", "1")

rows = st.lists(st.sampled_from(sorted(PARTS)), unique=True, max_size=2).flatmap(
    lambda chosen: st.fixed_dictionaries({"kind": kinds} | {name: st.sampled_from(PARTS[name]) for name in chosen})
)


def _value_of(name: str) -> st.SearchStrategy[str]:
    spec = switch_specs()[name]
    return st.sampled_from(spec.texts or (SOME_SHARES if spec.most == 1 else SOME_NUMBERS))


# Any switch, to any of its values.
switches = st.lists(st.sampled_from(tuple(switch_specs())), unique=True, max_size=8).flatmap(
    lambda chosen: st.fixed_dictionaries({name: _value_of(name) for name in chosen})
)


@settings(max_examples=300, deadline=None)
@given(steps=histories, world=worlds, row=rows, spare=st.booleans(), switch_values=switches)
def test_number_is_never_on_two_platforms(
    steps: list[tuple[Any, ...]], world: str, row: dict[str, Any], spare: bool, switch_values: dict[str, Any]
) -> None:
    history = History(row | {"spare_client": spare}, world, switch_values)
    for step in steps:
        history.perform(step)
        number = history.partner.number
        lagging = number.lagging_until is not None and history.partner.clock.time < number.lagging_until
        lagging = lagging or history.partner.sandbox.world.switches.read_lag_s > 0
        readings = history.read_both_sides()
        assert not (readings.onprem_accepts and readings.cloud_accepts)
        assert not (readings.onprem_connected and readings.cloud_accepts)
        assert not (readings.onprem_accepts and readings.cloud_connected) or lagging
        assert not (readings.onprem_connected and readings.cloud_connected) or lagging
        assert readings.onprem_accepts <= readings.onprem_connected <= 1
        assert readings.cloud_accepts <= readings.cloud_connected or lagging
        # The oracle's record of the number agrees with both readings.
        assert readings.onprem_connected == (number.side == "on_premises")
        assert readings.cloud_accepts <= (number.side == "cloud") <= (readings.cloud_connected or lagging)
        assert (number.dark_since is None) == (number.side != "neither")
        assert number.registered <= number.registers
        assert len(number.register_budget.calls) <= 10


@settings(max_examples=40, deadline=None)
@given(steps=histories, kind=kinds)
def test_same_seed_and_steps_give_same_history(steps: list[tuple[Any, ...]], kind: str) -> None:
    switch_values = {"register_seconds": 5, "webhook_jitter_s": 10, "webhook_duplicates": 0.5}
    outcomes = []
    for _ in range(2):
        history = History({"kind": kind, "spare_client": True}, "open", switch_values)
        for step in steps:
            history.perform(step)
            history.read_both_sides()
        record = json.dumps([call.as_json() for call in history.partner.sandbox.world.calls])
        truth = history.partner.sandbox.world.describe(history.partner.number)
        outcomes.append((history.responses, record, history.deliveries, truth))
    assert outcomes[0] == outcomes[1]
