"""What a refusal means for the step that met it: every row of the table, and a page for every step."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migration.engine.itineraries import ITINERARIES
from migration.engine.refusals import TABLE, Refusal, page_of, rule_for, runbooks
from migration.scrubbing.texts import SafeText
from migration.steps.outcomes import Blocked, Reopen, Switch, Waiting
from state.enums import Party
from tests.harness.hand_made_number import NOW

RUNBOOKS = Path(__file__).parents[3] / "runbooks"

Row = tuple[str, int, int | None]

WRONG_PIN = ("runbooks/wrong-pin.md", True)
STOPS: dict[Row, tuple[str, bool]] = {
    ("register", 133005, None): WRONG_PIN,
    ("register", 131031, None): WRONG_PIN,
    ("register", 133008, None): WRONG_PIN,
    ("register", 133009, None): WRONG_PIN,
    ("register", 133000, None): ("runbooks/deregistration-unfinished.md", False),
    ("register", 133002, None): ("runbooks/no-backup.md", False),
    ("register", 100, 2388001): ("runbooks/display-name.md", False),
    ("*", 33, None): ("runbooks/not-movable.md", False),
    ("*", 368, None): ("runbooks/not-movable.md", False),
    ("request_code", 136024, 2388091): ("runbooks/code-refused.md", False),
    ("request_code", 136024, 2388093): ("runbooks/code-refused.md", False),
    ("request_code", 136024, None): ("runbooks/code-never-comes.md", False),
    ("set_storage", 100, None): ("runbooks/storage-refused.md", False),
}
WAITS: dict[Row, timedelta] = {
    ("register", 133015, None): timedelta(minutes=5),
    ("*", 133016, None): timedelta(hours=72),
    ("*", 131057, None): timedelta(seconds=60),
    ("request_code", 136024, 2388367): timedelta(hours=24),
    ("send_smoke", 133010, None): timedelta(seconds=5),
    ("send_smoke", 131045, None): timedelta(seconds=5),
}
REOPENS: dict[Row, str] = {
    ("register", 133006, None): "request_code",
    ("verify_code", 136025, None): "verify_code",
    ("verify_code_onprem", 1009, None): "verify_code_onprem",
}
STEPS = sorted({entry.name for itinerary in ITINERARIES.values() for entry in itinerary.steps})


def outcome_of(
    step: str, error_code: int | None, subcode: int | None = None, details: str = "no", wait: timedelta | None = None
) -> Waiting | Blocked | Reopen | Switch:
    return rule_for(Refusal(step, error_code, subcode, details, wait)).at(NOW)


def test_every_row_of_the_table_is_tested_here() -> None:
    assert set(TABLE) == set(STOPS) | set(WAITS) | set(REOPENS)


@pytest.mark.parametrize("row", STOPS)
def test_a_row_that_stops(row: Row) -> None:
    runbook, pin_refused = STOPS[row]
    step, error_code, subcode = row
    own = {other for other, *rest in TABLE if rest == [error_code, subcode]}
    for name in [each for each in STEPS if each not in own] if step == "*" else [step]:
        outcome = outcome_of(name, error_code, subcode)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, outcome.pin_refused, outcome.side) == (runbook, pin_refused, None)


def test_a_restricted_account_is_that_of_every_number_of_its_waba() -> None:
    stops = ((row, outcome_of(*row)) for row in STOPS)
    concerned = {row for row, stop in stops if isinstance(stop, Blocked) and stop.account_refused}
    assert concerned == {("*", 368, None)}


@pytest.mark.parametrize("row", WAITS)
def test_a_row_that_waits(row: Row) -> None:
    step, error_code, subcode = row
    for name in STEPS if step == "*" else [step]:
        outcome = outcome_of(name, error_code, subcode)
        assert isinstance(outcome, Waiting)
        assert (outcome.until, outcome.on) == (NOW + WAITS[row], Party.META)


@pytest.mark.parametrize("row", REOPENS)
def test_a_row_that_goes_back(row: Row) -> None:
    outcome = outcome_of(*row)
    assert isinstance(outcome, Reopen)
    assert outcome.step == REOPENS[row]


@pytest.mark.parametrize(("asked", "until"), [(30, 300), (300, 300), (301, 301), (900, 900)])
def test_a_wait_that_the_answer_names_is_kept_where_it_is_longer(asked: int, until: int) -> None:
    outcome = outcome_of("register", 133015, wait=timedelta(seconds=asked))
    assert isinstance(outcome, Waiting)
    assert outcome.until == NOW + timedelta(seconds=until)


# -- which rule applies


def test_the_row_of_a_subcode_comes_before_the_row_of_its_code() -> None:
    assert isinstance(outcome_of("request_code", 136024, 2388367), Waiting)
    assert isinstance(outcome_of("request_code", 136024, 1), Blocked)


def test_a_row_without_a_subcode_holds_for_every_subcode() -> None:
    assert isinstance(outcome_of("register", 133015, 2388001), Waiting)


@pytest.mark.parametrize("step", STEPS)
def test_a_refusal_without_a_rule_stops_the_number_with_the_page_of_its_step(step: str) -> None:
    for error_code in (None, 999999):
        outcome = outcome_of(step, error_code)
        assert isinstance(outcome, Blocked)
        assert (outcome.runbook, outcome.pin_refused) == (page_of(step), False)


def test_a_rule_of_another_step_does_not_apply() -> None:
    outcome = outcome_of("deregister_cloud", 133005)
    assert outcome == Blocked("deregister_cloud was refused (133005): no", "runbooks/rollback-number.md")


@pytest.mark.parametrize("step", ["request_code_onprem", "verify_code_onprem", "restore_onprem"])
def test_on_premises_that_takes_no_number_any_more_sends_it_forward_again(step: str) -> None:
    outcome = outcome_of(step, 1005, details="Access denied: biz_link_on_prem_REG_BLOCKED")
    assert isinstance(outcome, Switch)
    assert outcome.itinerary == "FORWARD_RECOVERY"


def test_the_same_words_of_graph_do_not() -> None:
    assert isinstance(outcome_of("register", 1005, details="reg_blocked"), Blocked)


@pytest.mark.parametrize(("step", "error_code"), [("register", None), ("request_code", 136024), ("set_pin", 100)])
def test_terms_that_nobody_accepted_have_a_page_whatever_the_code(step: str, error_code: int | None) -> None:
    outcome = outcome_of(step, error_code, details="You must accept the Terms of Service first")
    assert isinstance(outcome, Blocked)
    assert outcome.runbook == "runbooks/terms-of-service.md"


# -- the sentence


@pytest.mark.parametrize(
    ("error_code", "subcode", "sentence"),
    [
        (136024, 2388367, "request_code was refused (136024/2388367): too many"),
        (136024, None, "request_code was refused (136024): too many"),
        (None, None, "request_code was refused: too many"),
        (0, None, "request_code was refused (0): too many"),
    ],
)
def test_the_reason_names_step_codes_and_details(error_code: int | None, subcode: int | None, sentence: str) -> None:
    assert Refusal("request_code", error_code, subcode, "too many").reason == sentence


@pytest.mark.parametrize(
    "outcome",
    [
        outcome_of("register", 133015),
        outcome_of("register", 133006),
        outcome_of("register", 133005),
        outcome_of("restore_onprem", 1005, details="reg_blocked"),
    ],
)
def test_every_outcome_carries_the_reason(outcome: Waiting | Blocked | Reopen | Switch) -> None:
    reason = outcome.because if isinstance(outcome, Reopen | Switch) else outcome.reason
    assert "was refused (" in reason


# -- pages


@pytest.mark.parametrize("step", STEPS)
def test_the_page_of_a_step_exists(step: str) -> None:
    assert (RUNBOOKS.parent / page_of(step)).is_file()


def test_a_step_without_a_page_of_its_own_has_the_page_of_refusals() -> None:
    assert page_of("subscribe") == "runbooks/refused.md"
    assert page_of("deregister_onprem") == "runbooks/stop-by-hand.md"


def test_every_page_that_the_table_names_is_listed_and_exists() -> None:
    listed = runbooks()
    assert {page for page, _ in STOPS.values()} <= listed
    assert {page_of(step) for step in STEPS} <= listed
    assert "runbooks/terms-of-service.md" in listed
    assert all((RUNBOOKS.parent / page).is_file() for page in listed)


def test_a_veto_of_a_hook_waits_for_its_end_and_without_one_for_a_person() -> None:
    vetoed = Refusal("pause_sends", 409, None, SafeText("a campaign runs"), timedelta(hours=2))
    outcome = rule_for(vetoed).at(NOW)
    assert isinstance(outcome, Waiting)
    assert (outcome.until, outcome.on) == (NOW + timedelta(hours=2), Party.CUSTOMER)
    assert isinstance(rule_for(replace(vetoed, wait=None)).at(NOW), Blocked)
    assert isinstance(rule_for(replace(vetoed, step="switch_route")).at(NOW), Blocked)
