"""Every write with every network fault; reads that lag behind writes; every switch of the sandbox."""

from collections import Counter
from itertools import product
from typing import Any

import pytest

from migration.steps.outcomes import Blocked
from sandbox.open_questions import questions
from state.enums import Side, Status
from tests.harness.in_process import MakeHarness

WRITES = {
    "healthy": [
        "onprem.two_step",
        "onprem.backup",
        "subscribe",
        "pause_sends",
        "register",
        "switch_route",
        "messages",
        "resume_sends",
    ],
    "no_backup": ["onprem.two_step", "request_code", "verify_code", "register", "profile"],
    "dark": ["set_pin", "request_code", "verify_code", "register", "messages"],
}
FAULTS: list[dict[str, Any]] = [
    {"kind": "lost_answer"},
    {"kind": "truncated"},
    {"kind": "refuse"},
    {"kind": "reset_before"},
    {"kind": "500", "effect": True},
    {"kind": "500", "effect": False},
    {"kind": "html", "effect": True},
    {"kind": "html", "effect": False},
    {"kind": "empty"},
    {"kind": "429"},
]


def _cases() -> list[Any]:
    return [
        pytest.param(kind, write, fault, id=f"{kind}-{write}-{'-'.join(str(v) for v in fault.values())}")
        for kind, writes in WRITES.items()
        for write in writes
        for fault in FAULTS
    ]


@pytest.mark.parametrize(("kind", "write", "fault"), _cases())
async def test_a_network_fault_never_registers_twice(
    make_matrix_harness: MakeHarness, kind: str, write: str, fault: dict[str, Any]
) -> None:
    harness = await make_matrix_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox.faults.add(route=write, e164=None, times=1, **fault)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE), (
            f"{position.status} at {position.next_step}: {position.reason}"
        )
        assert position.dark_since is None
    number = harness.sandbox_number(position)
    calls = Counter(harness.mutations(position))
    assert (number.registered, number.double_effects, number.wrong_pins) == (1, 0, 0)
    assert calls["register"] <= 2
    assert calls["messages"] <= (1 if write != "messages" else 2)


@pytest.mark.parametrize("lag", [3, 20, 100])
@pytest.mark.parametrize("kind", WRITES)
async def test_lagging_reads_cause_no_second_register(make_matrix_harness: MakeHarness, kind: str, lag: int) -> None:
    harness = await make_matrix_harness(kinds=[kind], switches={"read_lag_s": lag})
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(route="register", e164=None, kind="lost_answer", times=1)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE), (
            f"{position.status} at {position.next_step}: {position.reason}"
        )
    assert Counter(harness.mutations(position))["register"] == 1


# Kinds that `make test` does not try with every value, and the mark of the run that does.
OTHER_RUNS = {"dark": pytest.mark.slow} | dict.fromkeys(("no_backup", "new", "expired"), pytest.mark.crash)
# Numbers without an On-Premises client: switches about the client do not concern them.
WITHOUT_CLIENT = ("dark", "new")


# Whether Graph's PIN call works there is not documented: the first wrong PIN measures it, and is the last one
# (test_pins_on_cloud). The number was dark before.
MEASURES = {("expired", "pin_while_not_on_cloud", "onprem_keeps"): 1}


def _switches() -> list[Any]:
    """Every kind with every value, other than the default, of every switch that concerns it."""
    cases = []
    for section, spec in ((row.section, spec) for row in questions() for spec in row.switches):
        for kind, value in product(("healthy", *OTHER_RUNS), spec.values):
            concerns_client = section == "On-Premises"
            if value != spec.default and not (concerns_client and kind in WITHOUT_CLIENT):
                marks = OTHER_RUNS.get(kind, ())
                cases.append(pytest.param(kind, spec.name, value, id=f"{kind}-{spec.name}-{value}", marks=marks))
    return cases


@pytest.mark.parametrize(("kind", "switch", "value"), _switches())
async def test_every_value_of_every_switch_ends_on_cloud_or_blocked(
    make_matrix_harness: MakeHarness, kind: str, switch: str, value: Any
) -> None:
    """Either the number is on Cloud after one effective register, or it is blocked with a runbook, not dark by us."""
    harness = await make_matrix_harness(kinds=[kind], switches={switch: value})
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        served_by = harness.sandbox_number(position).side  # neither, of a number that is dark or was never in use
        outcome = await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        number = harness.sandbox_number(position)
        assert number.wrong_pins == MEASURES.get((kind, switch, value), 0)
        assert number.double_effects == 0
        if isinstance(outcome, Blocked):
            assert number.side == served_by, f"dark by us: {outcome}"
            assert outcome.runbook.startswith("runbooks/")
        else:
            assert (position.side, position.status) == (Side.CLOUD, Status.DONE), (
                f"{position.status} at {position.next_step}: {outcome}"
            )
            assert number.registered == 1
