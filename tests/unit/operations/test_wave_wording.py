"""The sentences about a wave."""

from datetime import timedelta
from typing import Any

import pytest

from migration.operations.wave_wording import gate_text, next_wave_command, released_text, unscheduled_waves, wave_line
from state.enums import WaveState
from tests.harness.positions import NOW, make_position, make_wave

EXTEND = 'cutover plan north --to "YYYY-MM-DD HH:MM"'
HELD: dict[str, Any] = {"state": WaveState.HELD}
ONLY = "cutover release north --only N-0002 --only N-0003"
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "cutover run north"),
        ({"released": "none"}, "cutover release north"),
        ({"released": "none", "canary": ("N-0001",)}, "cutover release north --canary"),
        ({"released": "none", "named_left": ("N-0002",)}, "cutover run north"),
        (HELD | {"released": "none", "named_left": ("N-0002", "N-0003")}, ONLY),
        (HELD | {"released": "canary", "canary": ("N-0001",), "named_left": ("N-0002", "N-0003")}, ONLY),
        (HELD | {"released": "canary", "canary": ("N-0001",)}, "cutover release north --canary"),
        ({"state": WaveState.HALTED}, "cutover release north"),
        ({"window_end": NOW}, EXTEND),
        ({"state": WaveState.STOPPED, "window_end": NOW}, None),
        ({"state": WaveState.DONE}, None),
    ],
)
def test_next_command(changes: dict[str, Any], command: str | None) -> None:
    assert next_wave_command(make_wave(**changes), NOW) == command


def test_one_line_says_what_is_true() -> None:
    row = make_wave(state=WaveState.HELD, because="noon", numbers=1, canary_size=1, window_start=FUTURE)
    window = "window 2026-11-24 13:00 to open UTC (UTC)"
    released = "nothing crosses while it is held (released for all when it goes on)"
    assert wave_line(row) == f"wave north is held: noon; 1 number, a canary of 1, {released}, {window}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "wave north has no start; `cutover run north` begins it"),
        ({"state": WaveState.HELD}, "wave north is held; `cutover release north` lets it go"),
        (
            {"window_end": PAST, "time_zone": "Asia/Tokyo"},
            f"the window of wave north ended at 2026-11-24 20:00 Asia/Tokyo; `{EXTEND}` gives it more time",
        ),
    ],
)
def test_why_no_schedule_will_begin_it(changes: dict[str, Any], reason: str) -> None:
    board = [make_position(wave="north")]
    assert unscheduled_waves([make_wave(**changes)], board, NOW) == {"north": reason}


@pytest.mark.parametrize("state", [WaveState.PLANNED, WaveState.RUNNING])
def test_a_wave_whose_window_is_open_is_run_by_deploy(state: WaveState) -> None:
    assert unscheduled_waves([make_wave(window_start=PAST, state=state)], [make_position(wave="north")], NOW) == {}


def test_waves_that_need_no_schedule_are_left_out() -> None:
    live, ended = make_position(wave="north"), make_position(wave="south", ended_at=NOW)
    waves = [make_wave(window_start=FUTURE), make_wave(name="south"), make_wave(name="west")]
    assert unscheduled_waves(waves, [live, ended], NOW) == {}


IN_WAVE: dict[str, Any] = {"wave": "north", "wave_state": WaveState.RUNNING, "wave_released": "all"}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({}, "yes: neither a hold nor a wave stops it"),
        ({"hold": True}, "no: it is on hold"),
        (IN_WAVE, "yes: wave north is running and released for all"),
        (IN_WAVE | {"hold": True}, "no: it is on hold, which wins over the release of wave north for all"),
        (IN_WAVE | {"wave_state": WaveState.HELD}, "no: wave north is held, which wins over its release for all"),
        (IN_WAVE | {"wave_state": WaveState.HALTED}, "no: wave north is halted, which wins over its release for all"),
        (IN_WAVE | {"wave_released": "canary"}, "no: wave north is released for its canary, and not for this number"),
        (IN_WAVE | {"wave_released": "none"}, "no: wave north is not released for this number yet"),
        (
            IN_WAVE | {"wave_released": "none", "released_by_name": True},
            "yes: wave north is running and released for this number by name",
        ),
        (
            IN_WAVE | {"wave_released": "canary", "canary": True},
            "yes: wave north is running and released for canary",
        ),
        (IN_WAVE | {"wave_state": WaveState.PLANNED}, "not yet: wave north has not begun; it is released for all"),
        (
            IN_WAVE | {"window_start": FUTURE},
            f"not yet: the window of wave north begins at {FUTURE:%Y-%m-%d %H:%M} UTC",
        ),
        (IN_WAVE | {"window_end": NOW}, f"no: the window of wave north ended at {NOW:%Y-%m-%d %H:%M} UTC"),
        (IN_WAVE | {"window_end": FUTURE}, "yes: wave north is running and released for all"),
        (IN_WAVE | {"profile_halted_at": NOW}, "no: its credential profile is halted"),
        (IN_WAVE | {"itinerary": "ABORT"}, "no: its migration is being ended"),
        (IN_WAVE | {"hold": True, "crossed_at": NOW}, None),
    ],
)
def test_of_a_hold_and_a_release_it_is_said_which_wins(state: dict[str, Any], says: str | None) -> None:
    assert gate_text(make_position(**state), NOW) == says


def test_a_wave_says_how_many_of_its_numbers_its_release_does_not_let_go() -> None:
    row = make_wave(state=WaveState.RUNNING, released="all", on_hold=2)
    held = "2 numbers of it are on hold and may not cross: a hold wins over any release"
    assert released_text(row) == f"released for all; {held}"
    assert released_text(make_wave(state=WaveState.RUNNING, released="all")) == "released for all"


@pytest.mark.parametrize(
    ("released", "says"),
    [
        ("none", "released for N-0002 by name"),
        ("canary", "released for canary and for N-0002 by name"),
        ("all", "released for all"),
    ],
)
def test_numbers_that_a_release_named_are_shown_beside_the_released_part(released: str, says: str) -> None:
    assert released_text(make_wave(state=WaveState.RUNNING, released=released, named=("N-0002",))) == says
