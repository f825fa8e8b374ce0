"""Every write meets every fault of the wire; read-after-write lag; every switch of the far side."""

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
async def test_one_fault_of_the_wire_never_moves_twice(
    make_matrix_harness: MakeHarness, kind: str, write: str, fault: dict[str, Any]
) -> None:
    harness = await make_matrix_harness(kinds=[kind])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox.faults.add(route=write, e164=None, times=1, **fault)
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE), f"{at.status} at {at.next_step}: {at.reason}"
        assert at.dark_since is None
    number = harness.sandbox_number(at)
    seen = Counter(harness.mutations(at))
    assert (number.registered, number.double_effects, number.wrong_pins) == (1, 0, 0)
    assert seen["register"] <= 2
    assert seen["messages"] <= (1 if write != "messages" else 2)


@pytest.mark.parametrize("lag", [3, 20, 100])
@pytest.mark.parametrize("kind", WRITES)
async def test_reads_that_lag_do_not_cause_a_second_register(
    make_matrix_harness: MakeHarness, kind: str, lag: int
) -> None:
    harness = await make_matrix_harness(kinds=[kind], switches={"read_lag_s": lag})
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(route="register", e164=None, kind="lost_answer", times=1)
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.status) == (Side.CLOUD, Status.DONE), f"{at.status} at {at.next_step}: {at.reason}"
    assert Counter(harness.mutations(at))["register"] == 1


# Kinds that `make test` does not move under every value, and what does.
ELSEWHERE = {"dark": pytest.mark.slow} | dict.fromkeys(("no_backup", "new", "expired"), pytest.mark.crash)
# No client could answer them in other ways.
HAVE_NO_CLIENT = ("dark", "new")


def _switches() -> list[Any]:
    """Every kind with every other value of every switch that can matter to it."""
    found = []
    for section, spec in ((row.section, spec) for row in questions() for spec in row.switches):
        for kind, value in product(("healthy", *ELSEWHERE), spec.values):
            of_a_client = section == "On-Premises"
            if value != spec.default and not (of_a_client and kind in HAVE_NO_CLIENT):
                marks = ELSEWHERE.get(kind, ())
                found.append(pytest.param(kind, spec.name, value, id=f"{kind}-{spec.name}-{value}", marks=marks))
    return found


@pytest.mark.parametrize(("kind", "switch", "value"), _switches())
async def test_right_under_every_value_of_every_switch(
    make_matrix_harness: MakeHarness, kind: str, switch: str, value: Any
) -> None:
    """Either the number is on Cloud after one register with effect, or it is blocked with a page and nothing was lost
    that was not lost before: never dark by us."""
    harness = await make_matrix_harness(kinds=[kind], switches={switch: value})
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        came_dark = at.dark_since is not None
        outcome = await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        number = harness.sandbox_number(at)
        assert number.wrong_pins == 0
        assert number.double_effects == 0
        if isinstance(outcome, Blocked):
            assert came_dark or at.side is Side.ON_PREMISES, f"dark by us: {outcome}"
            assert outcome.runbook.startswith("runbooks/")
        else:
            assert (at.side, at.status) == (Side.CLOUD, Status.DONE), f"{at.status} at {at.next_step}: {outcome}"
            assert number.registered == 1
