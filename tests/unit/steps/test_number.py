"""What every step is given, and what a step declares where it declares nothing of its own."""

from datetime import timedelta

import pytest

from migration.steps.protocol import StepContract
from state.enums import Promise
from state.rows import FindingRow
from tests.harness.hand_made_number import NOW, later, make_number


def test_what_a_step_declares_where_it_says_nothing() -> None:
    contract = StepContract(name="a_step", promise=Promise.READ)
    assert contract.longest_call == timedelta(seconds=30)
    assert contract.settle_for == timedelta(minutes=5)
    assert contract.fresh_for is None
    assert contract.budget is None
    assert contract.moves_to is None
    assert not contract.uses_code
    assert not contract.notifies_senders
    assert not contract.unsent_needs_new_key


def test_after_is_a_time_from_now() -> None:
    assert make_number().after(minutes=1, seconds=2) == NOW + timedelta(seconds=62)


@pytest.mark.parametrize(
    ("missing_for", "first", "pause"),
    [(0, 2, 2), (19, 2, 2), (20, 2, 2), (30, 2, 3), (199, 2, 19.9), (200, 2, 20), (201, 2, 20), (0, 60, 20)],
)
def test_what_is_missing_is_read_again_after_a_tenth_of_that_time(missing_for: int, first: int, pause: float) -> None:
    number = make_number()
    assert number.next_check(NOW - timedelta(seconds=missing_for), first) == NOW + timedelta(seconds=pause)


def test_results_and_notes_are_by_step_and_empty_where_there_are_none() -> None:
    number = make_number(results={"snapshot": {"onprem": "serving"}}, notes={"drain": {"since": "then"}})
    assert number.result_of("snapshot") == {"onprem": "serving"}
    assert number.note_of("drain") == {"since": "then"}
    assert number.result_of("drain") == {}
    assert number.note_of("snapshot") == {}


def test_a_finding_may_be_as_old_as_the_test_says() -> None:
    old = FindingRow("snapshot", NOW - timedelta(days=1), {"onprem": "serving"})
    assert make_number(results={"snapshot": old}).results["snapshot"].at == NOW - timedelta(days=1)


def test_the_next_pass_remembers_no_reading() -> None:
    number = make_number()
    following = later(number, 2)
    assert following.now == NOW + timedelta(seconds=2)
    assert following.reading_cache is not number.reading_cache
