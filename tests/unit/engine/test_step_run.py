"""One pass over one step: what is fresh, what is stale, and what the number looks like as the pass goes on."""

from datetime import timedelta

import pytest

from migration.clients.graph_models import CloudNumber
from migration.steps.reading_cache import BothSides
from state.enums import Side
from state.rows import FindingRow
from tests.harness.hand_made_number import NOW, make_number
from tests.harness.hand_made_run import declared, make_run

GOOD_FOR = timedelta(seconds=60)


def found(step: str, seconds_ago: float) -> dict[str, FindingRow]:
    return {step: FindingRow(step, NOW - timedelta(seconds=seconds_ago), {"kept": True})}


@pytest.mark.parametrize(("seconds_ago", "fresh"), [(0, True), (60, True), (60.001, False), (3600, False)])
def test_a_result_is_fresh_for_as_long_as_its_step_declares(seconds_ago: float, fresh: bool) -> None:
    run = make_run(number=make_number(results=found("the_step", seconds_ago)), fresh_for=GOOD_FOR)
    assert run.is_fresh() is fresh


def test_without_a_result_nothing_is_fresh() -> None:
    assert not make_run(fresh_for=GOOD_FOR).is_fresh()
    assert not make_run(number=make_number(results=found("another", 0)), fresh_for=GOOD_FOR).is_fresh()


def test_a_step_that_declares_no_time_is_never_fresh_by_time() -> None:
    assert not make_run(number=make_number(results=found("the_step", 0))).is_fresh()


@pytest.mark.parametrize(
    ("results", "stale"),
    [
        (found("pin", 60) | found("backup", 60), None),
        (found("pin", 61) | found("backup", 60), "pin"),
        (found("pin", 60) | found("backup", 61), "backup"),
        (found("pin", 61) | found("backup", 61), "pin"),
        (found("backup", 0), "pin"),
        ({}, "pin"),
    ],
    ids=["both fresh", "the first is stale", "the second is stale", "both: the first", "one is missing", "none found"],
)
def test_the_first_earlier_result_that_is_too_old(results: dict[str, FindingRow], stale: str | None) -> None:
    earlier = (declared("pin", fresh_for=GOOD_FOR), declared("lasting"), declared("backup", fresh_for=GOOD_FOR))
    assert make_run(number=make_number(results=results), earlier=earlier).stale_input() == stale


@pytest.mark.parametrize(
    ("results", "stale"),
    [
        (found("pin", 9999) | found("pause", 60), None),
        (found("pin", 9999) | found("pause", 61), "pause"),
        (found("pause", 0), "pin"),
    ],
    ids=["an old PIN", "an old pause", "no PIN"],
)
def test_a_dark_number_crosses_on_old_results_but_for_its_pause(
    results: dict[str, FindingRow], stale: str | None
) -> None:
    earlier = (declared("pin", fresh_for=GOOD_FOR), declared("pause", fresh_for=GOOD_FOR, notifies_senders=True))
    number = make_number(results=results, side=Side.NEITHER)
    assert make_run(number=number, earlier=earlier).stale_input() == stale


def test_the_step_s_own_result_and_later_ones_are_no_input() -> None:
    run = make_run(number=make_number(results=found("the_step", 9999)), fresh_for=GOOD_FOR)
    assert run.stale_input() is None


def test_step_and_contract_are_those_of_the_entry() -> None:
    run = make_run("a_step", budget="register")
    assert (run.contract.name, run.contract.budget) == ("a_step", "register")
    assert run.step is run.entry.step


def test_after_a_call_nothing_that_was_read_before_counts() -> None:
    run = make_run()
    before = run.number
    before.reading_cache.both = BothSides(CloudNumber(id="1"), None)
    after = run.at_time(NOW + timedelta(seconds=9))
    assert run.number is after
    assert after.now == NOW + timedelta(seconds=9)
    assert after.reading_cache.both is None
    assert after.state == before.state


def test_the_side_that_was_read_replaces_that_on_record_for_this_pass() -> None:
    run = make_run(number=make_number(side=Side.UNKNOWN))
    cache = run.number.reading_cache
    assert run.on_side(Side.NEITHER) is run.number
    assert run.number.state.side is Side.NEITHER
    assert run.number.reading_cache is cache  # the same pass: its readings still count
