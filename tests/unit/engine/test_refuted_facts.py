"""Which answer refutes which field fact, and which does not."""

from typing import Any

import pytest

from migration.engine.refuted_facts import refuted_by
from migration.errors import Rejected, Transient
from migration.scrubbing.texts import as_safe
from state.enums import Side
from state.ledger.changes import FactMeasured, FactRefuted
from tests.harness.hand_made_number import make_number
from tests.harness.hand_made_run import make_attempt, make_run

BLOCKED = Rejected("no", 1005, as_safe("biz_link_on_prem_reg_blocked"))
NOT_ELIGIBLE = Rejected("no", 136024, as_safe("not eligible"), 2388091)
OPEN = {"onprem_registration": "open"}
ACCEPTED = {"code_while_on_premises": "accepted"}


def refuted(
    step: str, exc: Rejected | Transient, facts: dict[str, str], **columns: Any
) -> tuple[FactRefuted | FactMeasured, ...]:
    return refuted_by(make_run(step, number=make_number(facts=facts, **columns)), exc)


def test_1005_refutes_that_on_premises_takes_numbers() -> None:
    assert refuted("request_code_onprem", BLOCKED, OPEN) == (FactRefuted("onprem_registration", "open", "no"),)


def test_a_code_that_is_refused_on_premises_refutes_that_it_is_accepted() -> None:
    assert refuted("request_code", NOT_ELIGIBLE, ACCEPTED, side=Side.ON_PREMISES) == (
        FactRefuted("code_while_on_premises", "accepted", "no"),
    )


@pytest.mark.parametrize(
    ("step", "exc", "facts", "side"),
    [
        ("register", BLOCKED, OPEN, Side.ON_PREMISES),
        ("request_code_onprem", BLOCKED, {"onprem_registration": "blocked"}, Side.NEITHER),
        ("request_code_onprem", BLOCKED, {}, Side.NEITHER),
        ("request_code_onprem", Rejected("no", 1005, as_safe("wrong password")), OPEN, Side.NEITHER),
        ("request_code", NOT_ELIGIBLE, ACCEPTED, Side.NEITHER),
        ("request_code", Rejected("no", 136024, as_safe("too many"), 2388367), ACCEPTED, Side.ON_PREMISES),
        ("request_code", Transient("busy", True), ACCEPTED, Side.ON_PREMISES),
    ],
)
def test_another_answer_refutes_nothing(
    step: str, exc: Rejected | Transient, facts: dict[str, str], side: Side
) -> None:
    assert refuted(step, exc, facts, side=side) == ()


PIN_ACCEPTED = {"pin_while_not_on_cloud": "accepted"}


@pytest.mark.parametrize("code", [133010, 100])
def test_a_pin_call_that_graph_refuses_refutes_that_it_sets_the_pin(code: int) -> None:
    refusal = Rejected("no", code, as_safe("not registered"))
    run = make_run("secure_pin", attempt=make_attempt({"route": "cloud"}), number=make_number(facts=PIN_ACCEPTED))
    assert refuted_by(run, refusal) == (FactRefuted("pin_while_not_on_cloud", "accepted", "no"),)


@pytest.mark.parametrize(
    ("route", "refusal", "facts"),
    [
        ("onprem", Rejected("no", 100, as_safe("no")), PIN_ACCEPTED),
        ("cloud", Rejected("no", 368, as_safe("restricted")), PIN_ACCEPTED),
        ("cloud", Transient("busy", True), PIN_ACCEPTED),
        ("cloud", Rejected("no", 133010, as_safe("no")), {}),
    ],
)
def test_no_other_answer_to_a_pin_call_refutes_it(route: str, refusal: Any, facts: dict[str, str]) -> None:
    run = make_run("secure_pin", attempt=make_attempt({"route": route}), number=make_number(facts=facts))
    assert refuted_by(run, refusal) == ()
