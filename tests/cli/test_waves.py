"""The window, canary, release and schedule of a wave, by commands; a refused command changes no row."""

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
from state.enums import Side, Status, WaveState
from state.ledger.waves import NewWave
from state.rows import WaveRow
from tests.cli.side_effects import MakeOperator, everything, sent
from tests.harness.operator import Operator

NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)  # when the harness's clock starts
NIGHT = ("--from", "2025-09-01 22:00", "--to", "2025-09-02 02:00")


def wave(operator: Operator, name: str = "north") -> WaveRow:
    return operator.with_app(lambda app: app.queries.waves.get(name))


def window(operator: Operator, name: str = "north") -> tuple[str, str, str]:
    row = wave(operator, name)
    ends = [f"{end:%d %H:%M}" if end is not None else "open" for end in (row.window_start, row.window_end)]
    return ends[0], ends[1], row.time_zone


def plan_north(
    make_operator: MakeOperator, *arguments: str, kinds: Sequence[str] = ("healthy", "healthy"), **options: Any
) -> Operator:
    operator = make_operator(kinds=kinds, **options)
    operator.import_numbers()
    output = operator.cutover("plan", "north", *arguments)
    assert output.exit_code == 0, output.stderr
    return operator


def set_wave_state(operator: Operator, state: WaveState) -> None:
    """Start the wave and set its state, as `run`, `hold` and the halt rule do."""

    async def move(app: App) -> None:
        await begin_wave(app, "north")
        if state is not WaveState.RUNNING:
            await app.ledger.waves.set_state("north", state, allowed=[WaveState.RUNNING], because="storm")

    operator.with_app(move)


# -- the window of an existing wave

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
def test_a_changed_window_is_checked_together_with_the_kept_part(make_operator: MakeOperator, state: WaveState) -> None:
    operator = plan_north(make_operator, *NIGHT)
    if state is not WaveState.PLANNED:
        set_wave_state(operator, state)
    rows = everything(operator)
    for name, (arguments, message) in BAD_WINDOWS.items():
        output = operator.cutover("plan", "north", *arguments)
        assert (output.exit_code, message in output.error_line) == (1, True), f"{name}: {output.stderr}"
        assert "will" not in output.stdout, name
    assert everything(operator) == rows


def test_a_changed_zone_keeps_the_local_times(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, *NIGHT, "--tz", "America/Sao_Paulo")
    assert window(operator) == ("02 01:00", "02 05:00", "America/Sao_Paulo")
    assert operator.cutover("plan", "north", "--tz", "Asia/Kolkata").exit_code == 0
    assert window(operator) == ("01 16:30", "01 20:30", "Asia/Kolkata"), "22:00 to 02:00 there"
    assert operator.cutover("plan", "north", "--to", "2025-09-02 03:00").exit_code == 0
    assert window(operator) == ("01 16:30", "01 21:30", "Asia/Kolkata"), "the wave's own zone counts"


def test_an_ambiguous_hour_is_given_with_its_offset(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--to", "2025-11-02 01:30-0500", "--tz", "America/New_York")
    assert window(operator) == ("open", "02 06:30", "America/New_York")
    assert operator.cutover("plan", "north", "--from", "2025-11-02 01:10-0500").exit_code == 0
    assert window(operator) == ("02 06:10", "02 06:30", "America/New_York")


def test_start_and_end_of_a_window_can_be_removed(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, *NIGHT)
    assert operator.cutover("plan", "north", "--from", "open").exit_code == 0
    assert window(operator) == ("open", "02 02:00", "UTC")
    assert operator.cutover("plan", "north", "--to", "open").exit_code == 0
    assert window(operator) == ("open", "open", "UTC")


def test_a_start_in_the_past_is_refused(make_operator: MakeOperator) -> None:
    """No schedule would ever start such a wave, and nothing would report it."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    rows = everything(operator)
    output = operator.cutover("plan", "east", "--from", "2020-01-01 00:00")
    assert output.exit_code == 1
    assert output.error_line == (
        "the start 2020-01-01 00:00 UTC is in the past; leave --from out and it may cross at once; nothing was changed"
    )
    assert everything(operator) == rows


def test_other_settings_can_be_changed_after_the_window(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, *NIGHT)
    operator.harness.clock.advance(86400)
    assert operator.cutover("plan", "north", "--concurrency", "4").exit_code == 0
    assert wave(operator).concurrency == 4


@pytest.mark.parametrize("state", [WaveState.RUNNING, WaveState.HELD, WaveState.HALTED])
def test_of_a_started_wave_only_the_window_can_be_changed(make_operator: MakeOperator, state: WaveState) -> None:
    operator = plan_north(make_operator, "--to", "2025-09-01 10:00")
    set_wave_state(operator, state)
    rows = everything(operator)
    for more in (["--concurrency", "4"], ["--to", "2025-09-01 12:00", "--canary", "1"], ["--rule", "tag=x"], []):
        output = operator.cutover("plan", "north", *more)
        assert (output.exit_code, f"wave north is {state}: of a wave that has begun, only" in output.error_line) == (
            1,
            True,
        )
        assert everything(operator) == rows
    output = operator.cutover("plan", "north", "--to", "2025-09-01 12:00", "--json")
    assert (output.exit_code, output.document["after"]["state"]) == (0, state)
    assert output.document["next"] == ("cutover run north" if state is WaveState.RUNNING else "cutover release north")
    assert window(operator) == ("open", "01 12:00", "UTC")


def test_the_window_of_a_stopped_wave_cannot_be_changed(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator)
    assert operator.cutover("stop", "north", "--because", "over", "--confirm", "north").exit_code == 0
    rows = everything(operator)
    output = operator.cutover("plan", "north", "--to", "2025-09-01 12:00")
    assert (output.exit_code, output.error_line) == (1, "wave north is stopped; nothing was changed")
    assert everything(operator) == rows


def test_a_longer_window_lets_a_held_number_cross(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--to", "2025-09-01 08:10")
    set_wave_state(operator, WaveState.RUNNING)
    operator.harness.clock.advance(9 * 60)
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 3
    assert "register" not in sent(operator)
    assert operator.cutover("plan", "north", "--to", "2025-09-01 10:00").exit_code == 0
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 0
    assert sent(operator).count("register") == 2


# -- a window that has ended


def test_every_command_that_would_continue_a_wave_names_its_ended_window(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, *NIGHT, "--tz", "America/Sao_Paulo", "--canary", "1")
    operator.harness.clock.advance(86400)
    message = (
        'the window of wave north ended at 2025-09-02 02:00 America/Sao_Paulo; `cutover plan north --to "YYYY-MM-DD'
    )
    rows = everything(operator)
    for verb in (
        ["run", "north"],
        ["run", "north", "--dry-run"],
        ["release", "north"],
        ["release", "north", "--canary"],
    ):
        output = operator.cutover(*verb)
        assert (output.exit_code, output.error_line.startswith(message)) == (1, True), output.stderr
        assert everything(operator) == rows
    assert sent(operator) == []
    assert 'next: cutover plan north --to "YYYY-MM-DD HH:MM"' in operator.cutover("status", "north").stdout
    assert operator.cutover("plan", "north", "--to", "2025-09-03 02:00").exit_code == 0
    assert operator.cutover("release", "north").exit_code == 0
    assert operator.cutover("run", "north").exit_code == 0
    assert sent(operator).count("register") == 2


def test_a_number_past_the_point_of_no_return_ends_after_the_window(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--to", "2025-09-01 10:00")
    set_wave_state(operator, WaveState.RUNNING)
    operator.advance_to("confirm")
    operator.harness.clock.advance(86400)
    output = operator.cutover("run", "north", "--patience", "0")
    assert output.exit_code == 3
    assert "the window of wave north ended at 2025-09-01 10:00 UTC" in output.stdout
    assert [operator.position(ref).side for ref in ("N-0001", "N-0002")] == [Side.CLOUD, Side.ON_PREMISES]


# -- how long a cutover takes


def test_a_number_that_needs_a_code_while_dark_needs_more_time(make_operator: MakeOperator) -> None:
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


def test_an_empty_wave_is_refused_with_the_command_that_fills_it(make_operator: MakeOperator) -> None:
    """A wave without a number cannot run, and the message names the command that adds numbers."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    operator.with_app(lambda app: app.ledger.waves.create(NewWave("north"), []))
    message = "wave north is empty; `cutover plan north --rule RULE` puts numbers into it"
    rows = everything(operator)
    for verb in (["run", "north"], ["run", "north", "--dry-run"], ["preflight", "north"]):
        output = operator.cutover(*verb)
        assert (output.exit_code, output.error_line) == (1, message)
    with pytest.raises(Exception, match="wave north is empty"):
        operator.with_app(lambda app: begin_wave(app, "north"))
    assert everything(operator) == rows
    assert "wave north: planned, 0 numbers" in operator.cutover("status", "north").stdout
    assert operator.cutover("plan", "north", "--rule", "tag!=x").exit_code == 0
    assert operator.cutover("run", "north").exit_code == 0


def test_a_wave_whose_numbers_started_again_outside_it_is_empty(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, kinds=["verified"], world="open")
    assert operator.cutover("run", "north").exit_code == 0
    assert operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001").exit_code in (0, 3)
    output = operator.cutover("run", "north")
    assert (output.exit_code, output.error_line) == (1, "wave north is empty; `cutover plan NAME` makes a new one")


# -- the approval

NOT_READ = "not looked at yet: `cutover preflight` looks"
UNMEASURED = "not measured whether On-Premises takes the number again (onprem_registration)"
NEEDS_A_CODE = "not measured whether On-Premises takes it again, and coming forward again would need a code"


def test_release_summarizes_the_rollbacks_of_the_released_numbers(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--canary", "1", kinds=["verified", "healthy", "healthy"])
    output = operator.cutover("release", "north", "--canary", "--dry-run")
    assert f"ways back: 1 unknown ({NOT_READ})" in output.stdout
    assert "1 number still to cross" in output.stdout
    operator.with_app(lambda app: begin_wave(app, "north"))
    for ref in ("N-0001", "N-0002"):
        operator.advance_to("secure_pin", ref)
    expected = {
        ("--canary",): f"1 unknown ({UNMEASURED})",
        ("--only", "N-0002"): f"1 closed ({NEEDS_A_CODE})",
        (): f"1 closed ({NEEDS_A_CODE}), 1 unknown ({NOT_READ}), 1 unknown ({UNMEASURED})",
    }
    for arguments, summary in expected.items():
        assert operator.cutover("release", "north", *arguments, "--dry-run", "--json").document["ways_back"] == summary
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    assert operator.cutover("run", "north").exit_code == 3
    assert operator.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == (
        f"2 closed ({NEEDS_A_CODE})"
    ), "the canary has crossed, and the run has read the others"


def test_release_counts_only_numbers_that_have_not_crossed(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--canary", "1", kinds=["healthy"] * 3)
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    set_wave_state(operator, WaveState.RUNNING)
    operator.advance_to("confirm")
    assert operator.cutover("abort", "N-0002", "--because", "left", "--confirm", "N-0002").exit_code == 0
    output = operator.cutover("release", "north")
    assert f"1 number still to cross\nwill   ways back: 1 unknown ({NOT_READ})" in output.stdout


def test_preflight_show_and_release_agree_about_a_rollback(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--released", "none", kinds=["healthy"])
    assert operator.cutover("show", "N-0001", "--json").document["way_back"] == {"way": "unknown", "reason": NOT_READ}
    summary = operator.cutover("preflight", "north", "--json").document["ways_back"]
    assert summary == f"1 closed ({NEEDS_A_CODE})"
    operator.with_app(lambda app: begin_wave(app, "north"))
    operator.advance_to("secure_pin")
    assert operator.cutover("show", "N-0001", "--json").document["way_back"]["reason"] == NEEDS_A_CODE
    assert operator.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == summary
    assert f"Ways back: {summary}." in operator.cutover("preflight", "north").stdout


def test_a_wave_without_a_canary_is_approved_by_its_plan(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    message = f"released for all: 2 numbers may cross in it; ways back: 2 unknown ({NOT_READ})"
    assert f"then   {message}" in operator.cutover("plan", "north", "--dry-run").stdout
    assert f"after  {message}" in operator.cutover("plan", "north").stdout
    assert (
        f"2 numbers would cross in it; ways back: 2 unknown ({NOT_READ})"
        in operator.cutover("run", "north", "--dry-run").stdout
    )
    assert operator.cutover("run", "north", "--dry-run", "--json").document["ways_back"] == f"2 unknown ({NOT_READ})"
    operator.cutover("stop", "north", "--because", "x", "--confirm", "north")
    assert operator.cutover("run", "north", "--dry-run").error_line == "wave north is stopped: x; that is for good"


def test_a_plan_that_releases_nothing_shows_no_rollbacks(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    assert "ways_back" not in operator.cutover("plan", "north", "--canary", "1", "--json").document


# -- canary and release


def test_a_canary_larger_than_the_wave_is_refused(make_operator: MakeOperator) -> None:
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
        "2 numbers, canary N-0001, N-0002, released for none"
        in operator.cutover("plan", "north", "--limit", "2", "--canary", "2").stdout
    )
    assert operator.cutover("plan", "north", "--canary", "3").exit_code == 1
    assert operator.cutover("plan", "north", "--limit", "1", "--canary", "3").exit_code == 0


def test_a_number_is_released_once(make_operator: MakeOperator) -> None:
    """A second release is refused: it would release nothing, or, in a held wave, release the other numbers."""
    operator = plan_north(make_operator, "--canary", "1", kinds=["healthy"] * 3)
    assert operator.cutover("release", "north", "--only", "N-0002").exit_code == 0
    refused = {
        ("--only", "N-0002"): (1, "wave north is planned, and released for N-0002 already; nothing was changed; `cut"),
        ("--only", "N-0002", "--only", "N-0009"): (10, "--only 'N-0009': there is no such number"),
        ("--only", ""): (10, "--only '': there is no such number"),
    }
    rows = everything(operator)
    for arguments, (exit_code, message) in refused.items():
        output = operator.cutover("release", "north", *arguments)
        assert (output.exit_code, output.error_line[: len(message)]) == (exit_code, message)
        assert everything(operator) == rows
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 3
    assert operator.cutover("hold", "north").exit_code == 0
    rows = everything(operator)
    output = operator.cutover("release", "north", "--only", "N-0002")
    assert (output.exit_code, output.error_line) == (1, "N-0002 has ended already; nothing was changed")
    assert everything(operator) == rows
    assert operator.cutover("release", "north", "--only", "N-0001").exit_code == 0


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (("release", "north"), "wave north is planned, released for all already; nothing was changed; `cutover run"),
        (("release", "north", "--canary"), "wave north has no canary; `cutover release north --only N-0001`"),
        (("stop", "north", "--because", "again", "--confirm", "north"), "wave north is stopped"),
        (("hold", "north"), "wave north is held"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_repeated_command_changes_nothing(make_operator: MakeOperator, verb: tuple[str, ...], message: str) -> None:
    operator = plan_north(make_operator)
    if verb[0] != "release":
        assert operator.cutover(*verb).exit_code == 0
    rows, calls = everything(operator), sent(operator)
    output = operator.cutover(*verb)
    assert (output.exit_code, output.error_line.startswith(message)) == (1, True), output.stderr
    assert not any(line.startswith(("will", "would", "after")) for line in output.stdout.splitlines()), output.stdout
    assert (everything(operator), sent(operator)) == (rows, calls)


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
    operator = plan_north(make_operator, *NIGHT, "--canary", "1")
    assert "; for its schedule in Prefect: cutover deploy" in operator.cutover(*verb, "--dry-run").stdout
    output = operator.cutover(*verb, "--json")
    assert (output.exit_code, output.document["schedule"]) == (0, "cutover deploy")
    assert output.document["next"].startswith("cutover ")


def test_a_wave_without_a_start_has_no_schedule(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--to", "2025-09-02 02:00")
    assert "schedule" not in operator.cutover("hold", "north", "--json").document


def test_deploy_names_the_waves_without_a_schedule(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 6)
    operator.import_numbers()
    tonight, soon = ("--from", "2025-09-01 22:00"), ("--from", "2025-09-01 09:00")
    waves = {"later": tonight, "begun": soon, "over": (*soon, "--to", "2025-09-01 10:00"), "open": (), "held": tonight}
    for name, arguments in waves.items():
        assert operator.cutover("plan", name, "--limit", "1", *arguments).exit_code == 0
    operator.cutover("hold", "held")
    operator.cutover("plan", "gone", "--limit", "1")
    operator.cutover("stop", "gone", "--because", "x", "--confirm", "gone")
    operator.harness.clock.advance(3 * 3600)

    async def read_unscheduled(app: App) -> dict[str, str]:
        return unscheduled_waves(
            await app.queries.waves.all(), await app.queries.positions.board(), await app.queries.now()
        )

    unscheduled = operator.with_app(read_unscheduled)
    assert unscheduled == {
        "over": 'the window of wave over ended at 2025-09-01 10:00 UTC; `cutover plan over --to "YYYY-MM-DD HH:MM"` '
        "gives it more time",
        "open": "wave open has no start; `cutover run open` begins it",
        "held": "wave held is held; `cutover release held` lets it go",
    }


# -- what comes next


def next_of(operator: Operator, ref: str) -> str:
    numbers = {number["ref"]: number for number in operator.cutover("status", "--json").document["numbers"]}
    return str(numbers[ref]["next_command"])


@pytest.mark.parametrize("state", [WaveState.HELD, WaveState.HALTED])
def test_a_number_held_by_its_wave_names_the_command_that_releases_it(
    make_operator: MakeOperator, state: WaveState
) -> None:
    operator = plan_north(make_operator)
    set_wave_state(operator, state)
    operator.cutover("run", "N-0001", "--patience", "0")
    assert operator.position().status is Status.HELD
    assert next_of(operator, "N-0001") == "cutover release north"
    assert "next: cutover release north" in operator.cutover("status", "north").stdout
    assert operator.cutover(*next_of(operator, "N-0001").split()[1:]).exit_code == 0
    assert operator.cutover("run", "north").exit_code == 0


def test_a_number_at_its_gate_names_the_command_that_opens_it(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator, "--canary", "1", "--to", "2025-09-01 10:00")
    operator.cutover("run", "north", "--patience", "0")
    assert [next_of(operator, ref) for ref in ("N-0001", "N-0002")] == ["cutover release north --canary"] * 2
    assert operator.cutover("release", "north", "--only", "N-0002").exit_code == 0
    assert operator.cutover("hold", "N-0002").exit_code == 0
    operator.cutover("run", "north", "--patience", "0")
    assert (next_of(operator, "N-0001"), next_of(operator, "N-0002")) == (
        "cutover release north --canary",
        "cutover release N-0002",
    )
    operator.cutover("release", "N-0002")
    assert next_of(operator, "N-0002") == "cutover run north"
    operator.harness.clock.advance(2 * 3600)
    assert next_of(operator, "N-0002") == 'cutover plan north --to "YYYY-MM-DD HH:MM"'
    operator.cutover("stop", "north", "--because", "x", "--confirm", "north")
    assert next_of(operator, "N-0002") == 'cutover abort N-0002 --because "..."'
    assert "next:" not in operator.cutover("status", "north").stdout


def test_the_next_command_of_one_number_starts_no_wave(make_operator: MakeOperator) -> None:
    operator = plan_north(make_operator)
    release = operator.cutover("hold", "N-0001", "--json").document["next"]
    assert release == "cutover release N-0001"
    assert operator.cutover(*release.split()[1:], "--json").document["next"] == "cutover run N-0001"
    switched = operator.cutover("resolve", "N-0001", "--switch", "CODE_FIRST", "--because", "x", "--json")
    assert switched.document["next"] == "cutover run N-0001"
    aborted = operator.cutover("abort", "N-0001", "--because", "x", "--dry-run", "--json")
    assert aborted.document["next"] == "the same command with --confirm N-0001"
    operator.cutover("run", "N-0001", "--patience", "0")
    assert wave(operator).state is WaveState.PLANNED


# -- without a database


def test_a_kept_window_may_have_begun() -> None:
    kept = Window(datetime(2025, 9, 1, 6, 0, tzinfo=UTC), datetime(2025, 9, 1, 10, 0, tzinfo=UTC))
    assert parse_window(None, "2025-09-01 12:00", None, kept, NOW).start == kept.start
    with pytest.raises(BadPlan, match="in the past"):
        parse_window("2025-09-01 07:00", None, None, kept, NOW)


def test_release_shows_what_preflight_read(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="open")
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    assert "not looked at yet" in operator.cutover("release", "north", "--dry-run").stdout
    summary = operator.cutover("preflight", "north", "--json").document["ways_back"]
    assert operator.cutover("release", "north", "--dry-run", "--json").document["ways_back"] == summary
    assert "not looked at" not in summary


def test_a_number_that_waits_for_a_place_in_its_wave_is_reported(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("plan", "north", "--concurrency", "1")
    first = operator.position("N-0001").migration_id  # numbers are imported concurrently: not always the first id
    operator.with_app(lambda app: app.ledger.leases.acquire(first, "another worker", timedelta(minutes=1)))
    output = operator.cutover("run", "N-0002")
    assert output.exit_code == 3
    assert "N-0002 waits for its turn: wave north moves 1 at once" in output.stdout
    assert operator.calls("N-0002") == []
