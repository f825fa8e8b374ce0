"""A wave's window, canary, release and schedule, as an operator types them; what is refused changes no row."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migration.app import App
from migration.engine.itineraries import CUTOVER_WITH_CODE
from migration.operations.wave_wording import unscheduled_waves
from migration.operations.waves import begin_wave
from migration.waves.plan import BadPlan
from migration.waves.window import Window, parse_window
from state.enums import Released, Side, Status, WaveState
from state.ledger.waves import NewWave
from state.rows import WaveRow
from tests.cli.side_effects import MakeOperator, everything, sent
from tests.harness.operator import Operator

NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)  # the rig's
NIGHT = ("--from", "2025-09-01 22:00", "--to", "2025-09-02 02:00")


def wave(operator: Operator, name: str = "north") -> WaveRow:
    return operator.with_app(lambda app: app.queries.waves.get(name))


def window(operator: Operator, name: str = "north") -> tuple[str, str, str]:
    row = wave(operator, name)
    ends = [f"{at:%d %H:%M}" if at is not None else "open" for at in (row.window_start, row.window_end)]
    return ends[0], ends[1], row.time_zone


def planned(
    make_operator: MakeOperator, *more: str, kinds: Sequence[str] = ("healthy", "healthy"), **how: Any
) -> Operator:
    operator = make_operator(kinds=kinds, **how)
    operator.import_numbers()
    output = operator.cutover("plan", "north", *more)
    assert output.exit_code == 0, output.stderr
    return operator


def moved_to(operator: Operator, state: WaveState) -> None:
    """As `run`, `hold` and the halt rule leave it."""

    async def move(app: App) -> None:
        await begin_wave(app, "north")
        if state is not WaveState.RUNNING:
            await app.ledger.waves.set_state("north", state, allowed=[WaveState.RUNNING], because="storm")

    operator.with_app(move)


# -- the window of a wave that is there

BAD_WINDOWS = {
    "an end before the start that is kept": (("--to", "2025-09-01 21:00"), "ends before it begins (2025-09-01 22:00"),
    "an end one minute after it": (("--to", "2025-09-01 22:01"), "shorter than one cutover (3 minutes for 2 of 2"),
    "a start after the end that is kept": (("--from", "2025-09-02 03:00"), "ends before it begins"),
    "a start just before it": (("--from", "2025-09-02 01:58"), "shorter than one cutover"),
    "a start in the past": (("--from", "2025-08-01 22:00"), "2025-08-01 22:00 UTC is in the past; give --from open"),
    "an end in the past": (("--to", "2025-08-01 22:00"), "ends in the past (2025-08-01 22:00 UTC)"),
    "a zone that puts the start into the past": (("--tz", "Pacific/Kiritimati"), "is in the past"),
    "no such zone": (("--tz", "Mars/Olympus"), "there is no time zone 'Mars/Olympus'"),
    "an empty zone": (("--tz", ""), "there is no time zone ''"),
    "a zone that is this machine's own": (("--tz", "localtime"), "there is no time zone 'localtime'"),
    "no time": (("--from", "tomorrow"), "is not a date and time"),
    "an empty time": (("--to", ""), "'' is not a date and time"),
    "a day that no month has": (("--to", "2026-02-30 22:00"), "is not a date and time"),
    "a year at the end of time": (("--to", "9999-12-31 23:59", "--tz", "America/New_York"), "give a year from 2000 to"),
    "a year at its beginning": (("--from", "0001-01-01 00:00", "--tz", "Asia/Tokyo"), "give a year from 2000 to"),
    "an hour that clocks skip": (
        ("--to", "2026-03-08 02:30", "--tz", "America/New_York"),
        "there is no 2026-03-08 02:30 in America/New_York: clocks are put forward over it",
    ),
    "an hour that clocks show twice": (
        ("--to", "2025-11-02 01:30", "--tz", "America/New_York"),
        'comes twice in America/New_York, as clocks are put back; give "2025-11-02 01:30-0400" or "2025-11-02 01:30-05',
    ),
}


@pytest.mark.parametrize("state", [WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED])
def test_another_window_is_checked_together_with_what_is_kept(make_operator: MakeOperator, state: WaveState) -> None:
    desk = planned(make_operator, *NIGHT)
    if state is not WaveState.PLANNED:
        moved_to(desk, state)
    rows = everything(desk)
    for name, (typed, said) in BAD_WINDOWS.items():
        output = desk.cutover("plan", "north", *typed)
        assert (output.exit_code, said in output.error_line) == (1, True), f"{name}: {output.stderr}"
        assert "will" not in output.stdout, name
    assert everything(desk) == rows


def test_a_zone_alone_moves_the_local_times_that_are_kept(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, *NIGHT, "--tz", "America/Sao_Paulo")
    assert window(desk) == ("02 01:00", "02 05:00", "America/Sao_Paulo")
    assert desk.cutover("plan", "north", "--tz", "Asia/Kolkata").exit_code == 0
    assert window(desk) == ("01 16:30", "01 20:30", "Asia/Kolkata"), "22:00 to 02:00 there"
    assert desk.cutover("plan", "north", "--to", "2025-09-02 03:00").exit_code == 0
    assert window(desk) == ("01 16:30", "01 21:30", "Asia/Kolkata"), "the wave's own zone counts"


def test_an_hour_that_clocks_show_twice_is_meant_with_its_offset_and_then_kept(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--to", "2025-11-02 01:30-0500", "--tz", "America/New_York")
    assert window(desk) == ("open", "02 06:30", "America/New_York")
    assert desk.cutover("plan", "north", "--from", "2025-11-02 01:10-0500").exit_code == 0
    assert window(desk) == ("02 06:10", "02 06:30", "America/New_York")


def test_an_end_of_the_window_can_be_taken_away(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, *NIGHT)
    assert desk.cutover("plan", "north", "--from", "open").exit_code == 0
    assert window(desk) == ("open", "02 02:00", "UTC")
    assert desk.cutover("plan", "north", "--to", "open").exit_code == 0
    assert window(desk) == ("open", "open", "UTC")


def test_a_start_in_the_past_is_no_start(make_operator: MakeOperator) -> None:
    """No schedule would ever begin such a wave, and nothing would say so."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    rows = everything(operator)
    output = operator.cutover("plan", "east", "--from", "2020-01-01 00:00")
    assert output.exit_code == 1
    assert output.error_line == (
        "the start 2020-01-01 00:00 UTC is in the past; leave --from out and it may cross at once; nothing was changed"
    )
    assert everything(operator) == rows


def test_settings_are_changed_whatever_became_of_the_window(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, *NIGHT)
    desk.harness.clock.advance(86400)
    assert desk.cutover("plan", "north", "--concurrency", "4").exit_code == 0
    assert wave(desk).concurrency == 4


@pytest.mark.parametrize("state", [WaveState.RUNNING, WaveState.HELD, WaveState.HALTED])
def test_a_wave_that_has_begun_takes_another_window_and_nothing_else(
    make_operator: MakeOperator, state: WaveState
) -> None:
    desk = planned(make_operator, "--to", "2025-09-01 10:00")
    moved_to(desk, state)
    rows = everything(desk)
    for more in (["--concurrency", "4"], ["--to", "2025-09-01 12:00", "--canary", "1"], ["--rule", "tag=x"], []):
        output = desk.cutover("plan", "north", *more)
        assert (output.exit_code, f"wave north is {state}: of a wave that has begun, only" in output.error_line) == (
            1,
            True,
        )
        assert everything(desk) == rows
    output = desk.cutover("plan", "north", "--to", "2025-09-01 12:00", "--json")
    assert (output.exit_code, output.document["after"]["state"]) == (0, state)
    assert output.document["next"] == ("cutover run north" if state is WaveState.RUNNING else "cutover release north")
    assert window(desk) == ("open", "01 12:00", "UTC")


def test_a_wave_that_is_over_takes_no_window(make_operator: MakeOperator) -> None:
    desk = planned(make_operator)
    assert desk.cutover("stop", "north", "--because", "over", "--confirm", "north").exit_code == 0
    rows = everything(desk)
    output = desk.cutover("plan", "north", "--to", "2025-09-01 12:00")
    assert (output.exit_code, output.error_line) == (1, "wave north is stopped; nothing was changed")
    assert everything(desk) == rows


def test_more_time_at_night_lets_a_held_number_cross(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--to", "2025-09-01 08:10")
    moved_to(desk, WaveState.RUNNING)
    desk.harness.clock.advance(9 * 60)
    assert desk.cutover("run", "north", "--patience", "0").exit_code == 3
    assert "register" not in sent(desk)
    assert desk.cutover("plan", "north", "--to", "2025-09-01 10:00").exit_code == 0
    assert desk.cutover("run", "north", "--patience", "0").exit_code == 0
    assert sent(desk).count("register") == 2


# -- a window that has ended since


def test_a_window_that_has_ended_is_named_wherever_the_wave_would_go_on(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, *NIGHT, "--tz", "America/Sao_Paulo", "--canary", "1")
    desk.harness.clock.advance(86400)
    said = 'the window of wave north ended at 2025-09-02 02:00 America/Sao_Paulo; `cutover plan north --to "YYYY-MM-DD'
    rows = everything(desk)
    for verb in (
        ["run", "north"],
        ["run", "north", "--dry-run"],
        ["release", "north"],
        ["release", "north", "--canary"],
    ):
        output = desk.cutover(*verb)
        assert (output.exit_code, output.error_line.startswith(said)) == (1, True), output.stderr
        assert everything(desk) == rows
    assert sent(desk) == []
    assert 'next: cutover plan north --to "YYYY-MM-DD HH:MM"' in desk.cutover("status", "north").stdout
    assert desk.cutover("plan", "north", "--to", "2025-09-03 02:00").exit_code == 0
    assert desk.cutover("release", "north").exit_code == 0
    assert desk.cutover("run", "north").exit_code == 0
    assert sent(desk).count("register") == 2


def test_what_has_crossed_comes_to_its_end_after_the_window(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--to", "2025-09-01 10:00")
    moved_to(desk, WaveState.RUNNING)
    desk.advance_to("confirm")
    desk.harness.clock.advance(86400)
    output = desk.cutover("run", "north", "--patience", "0")
    assert output.exit_code == 3
    assert "the window of wave north ended at 2025-09-01 10:00 UTC" in output.stdout
    assert [desk.position(ref).side for ref in ("N-0001", "N-0002")] == [Side.CLOUD, Side.ON_PREMISES]


# -- how long a cutover takes


def test_a_number_that_needs_a_code_while_dark_needs_a_longer_window(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    assert operator.cutover("resolve", "N-0002", "--switch", "CODE_AFTER", "--because", "host gone").exit_code == 0
    rows = everything(operator)
    minutes = int(CUTOVER_WITH_CODE.total_seconds() / 60)
    output = operator.cutover("plan", "north", "--to", "2025-09-01 08:12")
    assert (output.exit_code, output.error_line) == (
        1,
        f"the window is shorter than one cutover ({minutes} minutes for 1 of 3 numbers); nothing was changed",
    )
    assert everything(operator) == rows
    assert operator.cutover("plan", "north", "--to", "2025-09-01 08:14").exit_code == 0
    assert "1 of 3 numbers" in operator.cutover("plan", "north", "--to", "2025-09-01 08:12").error_line


# -- an empty wave


def test_an_empty_wave_says_so_and_what_fills_it(make_operator: MakeOperator) -> None:
    """Its one number was aborted, and went on outside it."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    operator.with_app(lambda app: app.ledger.waves.create(NewWave("north"), []))
    said = "wave north is empty; `cutover plan north --rule RULE` puts numbers into it"
    rows = everything(operator)
    for verb in (["run", "north"], ["run", "north", "--dry-run"], ["preflight", "north"]):
        output = operator.cutover(*verb)
        assert (output.exit_code, output.error_line) == (1, said)
    with pytest.raises(Exception, match="wave north is empty"):
        operator.with_app(lambda app: begin_wave(app, "north"))
    assert everything(operator) == rows
    assert "wave north: planned, 0 numbers" in operator.cutover("status", "north").stdout
    assert operator.cutover("plan", "north", "--rule", "tag!=x").exit_code == 0
    assert operator.cutover("run", "north").exit_code == 0


def test_a_wave_whose_numbers_began_anew_outside_it_is_empty(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, kinds=["verified"], world="open")
    assert desk.cutover("run", "north").exit_code == 0
    assert desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001").exit_code in (0, 3)
    output = desk.cutover("run", "north")
    assert (output.exit_code, output.error_line) == (1, "wave north is empty; `cutover plan NAME` makes a new one")


# -- the approval

UNLOOKED = "not looked at yet: `cutover preflight` looks"
UNMEASURED = "not measured whether On-Premises takes the number again (onprem_registration)"
NEEDS_A_CODE = "not measured whether On-Premises takes it again, and coming forward again would need a code"


def test_ways_back_are_told_with_reasons_over_what_is_let_go(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--canary", "1", kinds=["verified", "healthy", "healthy"])
    output = desk.cutover("release", "north", "--canary", "--dry-run")
    assert f"ways back: 1 unknown ({UNLOOKED})" in output.stdout
    assert "1 number still to cross" in output.stdout
    desk.with_app(lambda app: begin_wave(app, "north"))
    for ref in ("N-0001", "N-0002"):
        desk.advance_to("secure_pin", ref)
    expected = {
        ("--canary",): f"1 unknown ({UNMEASURED})",
        ("--only", "N-0002"): f"1 closed ({NEEDS_A_CODE})",
        (): f"1 closed ({NEEDS_A_CODE}), 1 unknown ({UNLOOKED}), 1 unknown ({UNMEASURED})",
    }
    for more, said in expected.items():
        assert desk.cutover("release", "north", *more, "--dry-run", "--json").document["ways_back"] == said
    assert desk.cutover("release", "north", "--canary").exit_code == 0
    assert desk.cutover("run", "north").exit_code == 3
    assert desk.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == (
        f"2 closed ({NEEDS_A_CODE})"
    ), "the canary has crossed, and the run has looked at the others"


def test_what_has_crossed_or_ended_is_not_let_go_again(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--canary", "1", kinds=["healthy"] * 3)
    assert desk.cutover("release", "north", "--canary").exit_code == 0
    moved_to(desk, WaveState.RUNNING)
    desk.advance_to("confirm")
    assert desk.cutover("abort", "N-0002", "--because", "left", "--confirm", "N-0002").exit_code == 0
    output = desk.cutover("release", "north")
    assert f"1 number still to cross\nwill   ways back: 1 unknown ({UNLOOKED})" in output.stdout


def test_preflight_show_and_release_say_the_same_of_a_way_back(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--released", "none", kinds=["healthy"])
    assert desk.cutover("show", "N-0001", "--json").document["way_back"] == {"way": "unknown", "reason": UNLOOKED}
    seen = desk.cutover("preflight", "north", "--json").document["ways_back"]
    assert seen == f"1 closed ({NEEDS_A_CODE})"
    desk.with_app(lambda app: begin_wave(app, "north"))
    desk.advance_to("secure_pin")
    assert desk.cutover("show", "N-0001", "--json").document["way_back"]["reason"] == NEEDS_A_CODE
    assert desk.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == seen
    assert f"Ways back: {seen}." in desk.cutover("preflight", "north").stdout


def test_a_wave_without_a_canary_is_approved_by_its_plan(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    said = f"released for all: 2 numbers may cross in it; ways back: 2 unknown ({UNLOOKED})"
    assert f"then   {said}" in operator.cutover("plan", "north", "--dry-run").stdout
    assert f"after  {said}" in operator.cutover("plan", "north").stdout
    assert (
        f"2 numbers would cross in it; ways back: 2 unknown ({UNLOOKED})"
        in operator.cutover("run", "north", "--dry-run").stdout
    )
    assert operator.cutover("run", "north", "--dry-run", "--json").document["ways_back"] == f"2 unknown ({UNLOOKED})"
    operator.cutover("stop", "north", "--because", "x", "--confirm", "north")
    assert operator.cutover("run", "north", "--dry-run").error_line == "wave north is stopped: x; that is for good"


def test_a_plan_that_lets_nothing_go_approves_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    assert "ways_back" not in operator.cutover("plan", "north", "--canary", "1", "--json").document


# -- canary and release


def test_a_canary_is_not_more_than_the_wave(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    rows = everything(operator)
    output = operator.cutover("plan", "north", "--limit", "2", "--canary", "3")
    assert (output.exit_code, output.error_line) == (
        1,
        "a canary of 3 is more than the whole of wave north (2); nothing was changed",
    )
    assert everything(operator) == rows
    assert (
        "2 numbers, a canary of 2, released for none"
        in operator.cutover("plan", "north", "--limit", "2", "--canary", "2").stdout
    )
    assert operator.cutover("plan", "north", "--canary", "3").exit_code == 1
    assert operator.cutover("plan", "north", "--limit", "1", "--canary", "3").exit_code == 0


def test_a_number_is_let_go_once(make_operator: MakeOperator) -> None:
    """A second release that said yes would hide that it let nothing go; of a held wave it would let the others go."""
    desk = planned(make_operator, "--canary", "1", kinds=["healthy"] * 3)
    assert desk.cutover("release", "north", "--only", "N-0002").exit_code == 0
    refused = {
        ("--only", "N-0002"): (1, "wave north is planned, and released for N-0002 already; nothing was changed; `cut"),
        ("--only", "N-0002", "--only", "N-0009"): (10, "--only 'N-0009': there is no such number"),
        ("--only", ""): (10, "--only '': there is no such number"),
    }
    rows = everything(desk)
    for typed, (code, said) in refused.items():
        output = desk.cutover("release", "north", *typed)
        assert (output.exit_code, output.error_line[: len(said)]) == (code, said)
        assert everything(desk) == rows
    assert desk.cutover("run", "north", "--patience", "0").exit_code == 3
    assert desk.cutover("hold", "north").exit_code == 0
    rows = everything(desk)
    output = desk.cutover("release", "north", "--only", "N-0002")
    assert (output.exit_code, output.error_line) == (1, "N-0002 has ended already; nothing was changed")
    assert everything(desk) == rows
    assert desk.cutover("release", "north", "--only", "N-0001").exit_code == 0


def test_a_release_cannot_be_narrower_than_the_one_before(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--canary", "1")
    moved_to(desk, WaveState.HELD)
    desk.with_app(lambda app: app.ledger.waves.release("north", Released.ALL))
    rows = everything(desk)
    for more in (["--canary"], ["--only", "N-0001"]):
        output = desk.cutover("release", "north", *more)
        assert (output.exit_code, "released for all already" in output.error_line) == (1, True)
        assert "`cutover release north` lets all of it go on" in output.error_line
        assert everything(desk) == rows


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (("release", "north"), "wave north is planned, released for all already; nothing was changed; `cutover run"),
        (("release", "north", "--canary"), "wave north is planned, released for all already"),
        (("stop", "north", "--because", "again", "--confirm", "north"), "wave north is stopped"),
        (("hold", "north"), "wave north is held"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_second_time_changes_nothing(make_operator: MakeOperator, verb: tuple[str, ...], said: str) -> None:
    desk = planned(make_operator)
    if verb[0] != "release":
        assert desk.cutover(*verb).exit_code == 0
    rows, calls = everything(desk), sent(desk)
    output = desk.cutover(*verb)
    assert (output.exit_code, output.error_line.startswith(said)) == (1, True), output.stderr
    assert not any(line.startswith(("will", "would", "after")) for line in output.stdout.splitlines()), output.stdout
    assert (everything(desk), sent(desk)) == (rows, calls)


# -- schedules


@pytest.mark.parametrize(
    "verb",
    [
        ("plan", "north", "--concurrency", "4"),
        ("plan", "north", "--from", "open"),
        ("hold", "north"),
        ("release", "north"),
        ("stop", "north", "--because", "x", "--confirm", "north"),
    ],
    ids=" ".join,
)
def test_a_wave_with_a_start_names_the_command_that_schedules_it(
    make_operator: MakeOperator, verb: tuple[str, ...]
) -> None:
    desk = planned(make_operator, *NIGHT, "--canary", "1")
    assert "; for its schedule in Prefect: cutover deploy" in desk.cutover(*verb, "--dry-run").stdout
    output = desk.cutover(*verb, "--json")
    assert (output.exit_code, output.document["schedule"]) == (0, "cutover deploy")
    assert output.document["next"].startswith("cutover ")


def test_a_wave_without_a_start_has_no_schedule(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--to", "2025-09-02 02:00")
    assert "schedule" not in desk.cutover("hold", "north", "--json").document


def test_deploy_names_the_waves_that_no_schedule_begins(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 6)
    operator.import_numbers()
    tonight, soon = ("--from", "2025-09-01 22:00"), ("--from", "2025-09-01 09:00")
    waves = {"later": tonight, "begun": soon, "over": (*soon, "--to", "2025-09-01 10:00"), "open": (), "held": tonight}
    for name, more in waves.items():
        assert operator.cutover("plan", name, "--limit", "1", *more).exit_code == 0
    operator.cutover("hold", "held")
    operator.cutover("plan", "gone", "--limit", "1")
    operator.cutover("stop", "gone", "--because", "x", "--confirm", "gone")
    operator.harness.clock.advance(3 * 3600)

    async def asked(app: App) -> dict[str, str]:
        return unscheduled_waves(
            await app.queries.waves.all(), await app.queries.positions.board(), await app.queries.now()
        )

    told = operator.with_app(asked)
    assert told == {
        "begun": "the window of wave begun has begun; `cutover run begun` goes on with it",
        "over": 'the window of wave over ended at 2025-09-01 10:00 UTC; `cutover plan over --to "YYYY-MM-DD HH:MM"` '
        "gives it more time",
        "open": "wave open has no start; `cutover run open` begins it",
        "held": "wave held is held; `cutover release held` lets it go",
    }


# -- what comes next


def next_of(operator: Operator, ref: str) -> str:
    numbers = {one["ref"]: one for one in operator.cutover("status", "--json").document["numbers"]}
    return str(numbers[ref]["next_command"])


@pytest.mark.parametrize("state", [WaveState.HELD, WaveState.HALTED])
def test_what_a_wave_keeps_back_names_the_command_that_lets_it_go(
    make_operator: MakeOperator, state: WaveState
) -> None:
    desk = planned(make_operator)
    moved_to(desk, state)
    desk.cutover("run", "N-0001", "--patience", "0")
    assert desk.position().status is Status.HELD
    assert next_of(desk, "N-0001") == "cutover release north"
    assert "next: cutover release north" in desk.cutover("status", "north").stdout
    assert desk.cutover(*next_of(desk, "N-0001").split()[1:]).exit_code == 0
    assert desk.cutover("run", "north").exit_code == 0


def test_a_number_at_its_gate_names_what_opens_it(make_operator: MakeOperator) -> None:
    desk = planned(make_operator, "--canary", "1", "--to", "2025-09-01 10:00")
    desk.cutover("run", "north", "--patience", "0")
    assert [next_of(desk, ref) for ref in ("N-0001", "N-0002")] == ["cutover release north"] * 2
    assert desk.cutover("release", "north", "--only", "N-0002").exit_code == 0
    assert desk.cutover("hold", "N-0002").exit_code == 0
    desk.cutover("run", "north", "--patience", "0")
    assert (next_of(desk, "N-0001"), next_of(desk, "N-0002")) == ("cutover release north", "cutover release N-0002")
    desk.cutover("release", "N-0002")
    assert next_of(desk, "N-0002") == "cutover run north"
    desk.harness.clock.advance(2 * 3600)
    assert next_of(desk, "N-0002") == 'cutover plan north --to "YYYY-MM-DD HH:MM"'
    desk.cutover("stop", "north", "--because", "x", "--confirm", "north")
    assert next_of(desk, "N-0002") == 'cutover abort N-0002 --because "..."'
    assert "next:" not in desk.cutover("status", "north").stdout


def test_advice_about_one_number_begins_no_wave(make_operator: MakeOperator) -> None:
    desk = planned(make_operator)
    release = desk.cutover("hold", "N-0001", "--json").document["next"]
    assert release == "cutover release N-0001"
    assert desk.cutover(*release.split()[1:], "--json").document["next"] == "cutover run N-0001"
    switched = desk.cutover("resolve", "N-0001", "--switch", "CODE_FIRST", "--because", "x", "--json")
    assert switched.document["next"] == "cutover run N-0001"
    aborted = desk.cutover("abort", "N-0001", "--because", "x", "--dry-run", "--json")
    assert aborted.document["next"] == "cutover run N-0001"
    desk.cutover("run", "N-0001", "--patience", "0")
    assert wave(desk).state is WaveState.PLANNED


# -- pure


def test_a_window_that_is_kept_may_have_begun() -> None:
    kept = Window(datetime(2025, 9, 1, 6, 0, tzinfo=UTC), datetime(2025, 9, 1, 10, 0, tzinfo=UTC))
    assert parse_window(None, "2025-09-01 12:00", None, kept, NOW).start == kept.start
    with pytest.raises(BadPlan, match="in the past"):
        parse_window("2025-09-01 07:00", None, None, kept, NOW)


def test_what_preflight_saw_is_what_the_approval_text_says(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="open")
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    assert "not looked at yet" in operator.cutover("release", "north", "--dry-run").stdout
    seen = operator.cutover("preflight", "north", "--json").document["ways_back"]
    assert operator.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == seen
    assert "not looked at" not in seen


def test_a_number_whose_wave_moves_enough_others_says_so(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("plan", "north", "--concurrency", "1")
    first = operator.position("N-0001").migration_id  # numbers begin side by side: not always the first one
    operator.with_app(lambda app: app.ledger.leases.acquire(first, "another worker", timedelta(minutes=1)))
    output = operator.cutover("run", "N-0002")
    assert output.exit_code == 3
    assert "N-0002 waits for its turn: wave north moves 1 at once" in output.stdout
    assert operator.calls("N-0002") == []
