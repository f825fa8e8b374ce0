"""What in our record becomes a cause, and what does not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from migration.waves.causes import find_causes
from state.enums import Party, Side, Status, WaveState
from state.rows import Position, WaveRow
from tests.harness.hand_made_number import NOW, POSITION

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
DARK = replace(POSITION, side=Side.NEITHER, dark_by_us=True, dark_since=NOW - MINUTE, status=Status.WAITING)
CODE = replace(
    POSITION,
    status=Status.WAITING,
    waiting_on=Party.CUSTOMER,
    next_step="verify_code",
    waiting_until=NOW + 9 * MINUTE,
)
LEFT: dict[str, Any] = {"status": Status.RUNNING, "lease_holder": "w:1", "lease_until": NOW - SECOND}
WAVE = WaveRow(7, "night", WaveState.RUNNING, "all", NOW, NOW + 60 * MINUTE, "UTC", 0, 10, None, None, None, 12, left=3)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({}, []),
        ({"leaving": True}, ["dark"]),  # nobody may look again in time
        ({"known_dark": ["N-0001"]}, ["dark"]),  # told already, and no side has served it since
        ({"known_dark": ["N-0002"]}, []),
    ],
)
def test_a_number_that_has_just_become_dark(how: dict[str, Any], found: list[str]) -> None:
    position = replace(DARK, ref="N-0001", dark_since=NOW)
    assert [cause.kind for cause in find_causes([position], (), (), NOW, **how)] == found
    assert find_causes([replace(position, dark_by_us=False)], (), (), NOW, **how) == ()


def test_a_name_with_a_sign_in_it_stands_in_the_title_as_it_is() -> None:
    position = replace(DARK, ref="N-0001", wave="night #2", customer="Shop #1", signup_ends_at=NOW)
    titles = [cause.title for cause in find_causes([position], (), (), NOW)]
    assert titles == ["N-0001 dark, on neither side (night #2)", "Embedded Signup of N-0001 of Shop #1 ends"]


def kinds(*positions: Position, waves: tuple[WaveRow, ...] = (), halted: tuple[Any, ...] = ()) -> list[str]:
    return sorted(cause.kind for cause in find_causes(positions, waves, halted, NOW))


@pytest.mark.parametrize(
    ("position", "found"),
    [
        (POSITION, []),
        (DARK, ["dark"]),
        (replace(DARK, dark_since=NOW - 45 * SECOND), ["dark"]),  # with 10 s between two passes: within 60 s
        (replace(DARK, dark_since=NOW - 44 * SECOND), []),  # a cutover that goes well
        (replace(DARK, dark_by_us=False), []),
        (replace(DARK, dark_since=NOW, status=Status.BLOCKED, runbook="runbooks/x.md"), ["blocked", "dark"]),
        (replace(DARK, dark_since=NOW, status=Status.HELD), ["dark", "held"]),
        (replace(DARK, dark_since=NOW, **LEFT), ["dark", "worker_gone"]),
        (replace(POSITION, **LEFT), ["worker_gone"]),
        (replace(POSITION, **LEFT | {"lease_until": NOW + MINUTE}), []),
        (replace(POSITION, **LEFT | {"lease_until": NOW + MINUTE}, worker_gone=True), ["worker_gone"]),
        (replace(POSITION, status=Status.BLOCKED, runbook="runbooks/x.md"), ["blocked"]),
        (replace(POSITION, status=Status.HELD), ["held"]),
        (replace(POSITION, status=Status.HELD, wave_state=WaveState.HALTED), []),  # the wave's own cause says it
        (CODE, ["code"]),
        (replace(CODE, waiting_until=NOW + 3 * MINUTE), ["code", "code_expiring"]),
        (replace(CODE, waiting_until=NOW - SECOND), []),
        (replace(CODE, waiting_on=Party.META), []),
        (replace(POSITION, signup_ends_at=NOW + timedelta(days=2)), ["signup_ending"]),
        (replace(POSITION, signup_ends_at=NOW + timedelta(days=2, seconds=1)), []),
        (replace(POSITION, signup_ends_at=NOW, crossed_at=NOW), []),
    ],
)
def test_a_number(position: Position, found: list[str]) -> None:
    assert kinds(position) == found


@pytest.mark.parametrize(
    ("wave", "found"),
    [
        (WAVE, []),
        (replace(WAVE, state=WaveState.HALTED, because="3 of 10 failed"), ["halted"]),
        (replace(WAVE, window_end=NOW + 30 * MINUTE), ["window_ending"]),
        (replace(WAVE, window_end=NOW + 30 * MINUTE, left=0), []),  # what has crossed needs no window
        (replace(WAVE, window_end=NOW + 30 * MINUTE, state=WaveState.PLANNED), ["window_ending"]),
        (replace(WAVE, window_end=NOW + 30 * MINUTE, state=WaveState.STOPPED), []),
        (replace(WAVE, window_end=NOW - MINUTE), ["window_ending"]),  # over, and its numbers go nowhere by themselves
        (replace(WAVE, window_end=NOW - timedelta(days=1, seconds=1)), []),
        (replace(WAVE, state=WaveState.DONE, last_end=NOW), ["finished"]),
        (replace(WAVE, state=WaveState.DONE, last_end=NOW - timedelta(days=2)), []),
    ],
)
def test_a_wave(wave: WaveRow, found: list[str]) -> None:
    assert kinds(waves=(wave,)) == found


@pytest.mark.parametrize(
    ("changes", "title", "line"),
    [
        (
            {"window_end": NOW + 20 * MINUTE},
            "ends at 2025-09-01 08:20 UTC, and 3 of 12 numbers have not crossed",
            'the window ends soon. Next: cutover plan night --to "YYYY-MM-DD HH:MM"',
        ),
        (
            {"window_end": NOW - MINUTE},
            "has ended at 2025-09-01 07:59 UTC, and 3 of 12 numbers have not crossed",
            'the window is over. Next: cutover plan night --to "YYYY-MM-DD HH:MM"',
        ),
        (
            {"window_end": NOW + MINUTE, "state": WaveState.PLANNED},
            "ends at 2025-09-01 08:01 UTC, and 3 of 12 numbers are left: it was never begun",
            "the window ends soon. Next: cutover run night",
        ),
    ],
)
def test_what_is_told_of_a_window(changes: dict[str, Any], title: str, line: str) -> None:
    """One cause, before and after its end: that it has ended with numbers left is no end of what is wrong."""
    (cause,) = find_causes((), (replace(WAVE, **changes),), (), NOW)
    assert (cause.key, cause.title) == ("window_ending:wave:7", f"the window of wave night {title}")
    assert cause.lines == (f"wave night: {line}",)


def test_a_halted_wave_is_told_with_what_lets_it_go() -> None:
    (cause,) = find_causes((), (replace(WAVE, state=WaveState.HALTED, because="3 of 10 failed"),), (), NOW)
    assert cause.lines == ("wave night: 3 of 10 failed. Next: cutover release night",)


def test_the_end_of_an_embedded_signup_is_told_with_its_time() -> None:
    for ends_at, words in ((NOW + MINUTE, "end at 2025-09-01 08:01 UTC"), (NOW, "have ended at 2025-09-01 08:00 UTC")):
        (cause,) = find_causes([replace(POSITION, signup_ends_at=ends_at)], (), (), NOW)
        assert f"its 14 days {words}, and it has not crossed. Next: cutover " in cause.lines[0]


def test_a_worker_that_has_exited_is_told_also_where_another_goes_on() -> None:
    lost = replace(POSITION, migration_id=1, ref="N-0001", **LEFT)
    taken = replace(POSITION, migration_id=2, ref="N-0002", status=Status.WAITING)
    at_its_end = replace(POSITION, migration_id=3, ref="N-0003", status=Status.DONE, ended_at=NOW)
    (cause,) = find_causes([lost], (), (), NOW, (), [lost, taken, at_its_end])
    assert (cause.kind, cause.title) == ("worker_gone", "a worker has gone and left 3 numbers (no wave)")
    assert [line.partition(": ")[2].partition(". ")[0] for line in cause.lines] == [
        f"running at {lost.next_step}: its worker has gone",
        "another worker goes on with it",
        "another worker has gone on, and it is at its end (done)",
    ]


def test_a_profile_that_is_halted() -> None:
    assert kinds(halted=({"name": "acme", "halted_because": "code 190"},)) == ["halted"]


def test_one_message_a_cause_with_the_numbers_in_it() -> None:
    blocked = [
        replace(POSITION, migration_id=n, ref=f"N-{n:04}", status=Status.BLOCKED, runbook="runbooks/x.md", reason="no")
        for n in (1, 2, 3)
    ]
    other = replace(blocked[0], ref="N-0009", runbook="runbooks/y.md")
    first, second = find_causes([*blocked, other], (), (), NOW)
    assert first.title == "3 numbers blocked (no wave): see runbooks/x.md"
    assert [line.split(" (")[0] for line in first.lines] == ["N-0001", "N-0002", "N-0003"]
    assert all("cutover runbook x N-000" in line and POSITION.e164 not in line for line in first.lines)
    assert second.title == "N-0009 blocked (no wave): see runbooks/y.md"


def test_what_is_not_known_to_be_dark_is_not_said_to_be() -> None:
    unknown = replace(DARK, migration_id=2, ref="N-0002", side=Side.UNKNOWN)
    (cause,) = find_causes([unknown], (), (), NOW)
    assert cause.title == "N-0002 perhaps dark, it is not known on which side (no wave)"
    assert ", perhaps dark since 07:59:00 UTC" in cause.lines[0]
    (cause,) = find_causes([DARK, unknown], (), (), NOW)
    assert cause.title == "2 numbers dark, on neither side (no wave)"


def test_its_words_change_with_its_state_and_not_with_time() -> None:
    later = find_causes([DARK], (), (), NOW + MINUTE)
    assert later == find_causes([DARK], (), (), NOW)


def test_a_wait_that_is_over_between_two_looks_is_told_as_the_same() -> None:
    waiting = replace(DARK, waiting_on=Party.META, waiting_until=NOW + SECOND)
    assert find_causes([waiting], (), (), NOW + MINUTE) == find_causes([waiting], (), (), NOW)


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"wave_released": "none", "wave_canary_size": 1}, "cutover release night --canary"),
        ({"wave_state": WaveState.HELD, "wave_released": "all"}, "cutover release night"),
        ({"wave_released": "all", "hold": True}, "cutover release N-0001"),
        ({"wave_released": "all", "window_end": NOW - SECOND}, 'cutover plan night --to "YYYY-MM-DD HH:MM"'),
    ],
)
def test_a_held_number_is_told_with_what_lets_it_go(changes: dict[str, Any], command: str) -> None:
    """As `cutover status` says; and no time of the next look, which is not when its hold ends."""
    held = replace(
        POSITION,
        ref="N-0001",
        status=Status.HELD,
        waiting_on=Party.OPERATOR,
        waiting_until=NOW + MINUTE,
        reason="not yet.",
    )
    held = replace(held, **{"wave": "night", "wave_state": WaveState.RUNNING} | changes)
    (line,) = find_causes([held], (), (), NOW)[0].lines
    assert line.endswith(f": held at {held.next_step}: not yet. Next: {command}")
