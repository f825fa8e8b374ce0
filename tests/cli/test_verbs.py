"""The commands of an operator: what they change, what they refuse, and that a dry run writes nothing."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from migration.app import App
from migration.cli.confirming import ChangeReport
from migration.engine.itineraries import ABORT
from migration.fleet.field_facts import field_facts
from migration.vault.rotation_lock import rotation_lock
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side, Status
from state.epochs import begin_epoch
from tests.cli.side_effects import MakeOperator, everything, files, sent
from tests.harness.crash_point import Killed
from tests.harness.operator import Operator

HOOK = {"hook": "senders", "start_command": "start"}


# -- a dry run

DRY = [
    ("hold", "N-0001"),
    ("hold", "north", "--because", "storm"),
    ("release", "N-0002"),
    ("release", "north"),
    ("release", "north", "--canary"),
    ("release", "north", "--only", "N-0001"),
    ("stop", "north", "--because", "over"),
    ("abort", "N-0001", "--because", "customer left"),
    ("back-to-onprem", "N-0003"),
    ("resolve", "N-0002", "--look-again", "--because", "mended"),
    ("resolve", "N-0002", "--switch", "CODE_AFTER", "--because", "host gone"),
    ("resolve", "N-0002", "--switch", "FORWARD_RECOVERY", "--because", "dark"),
    ("resolve", "N-0002", "--onprem-off", "--because", "saw it"),
    ("resolve", "N-0002", "--pin-handed-in", "--because", "owner"),
    ("resolve", "N-0002", "--two-step-off", "--because", "owner"),
    ("resolve", "N-0002", "--spend-reserve", "--because", "sure"),
    ("resolve", "N-0002", "--dispose", "churned", "--because", "left"),
    ("prove", "N-0003", "--smoke", "inbound", "--because", "silent at night"),
    ("prove", "N-0001", "--smoke", "inbound"),
    ("plan", "south", "--canary", "1"),
    ("plan", "north", "--canary", "1"),
    ("fact", "onprem_registration", "blocked", "--because", "N-0003 answered 1005"),
    ("rotate-key",),
    ("move", "N-0002", "--to", "south", "--new", "--because", "later"),
    ("sweep",),
]


@pytest.mark.parametrize("verb", DRY, ids=" ".join)
def test_a_dry_run_changes_no_row_no_file_and_neither_side(make_operator: MakeOperator, verb: tuple[str, ...]) -> None:
    operator = make_operator(kinds=["healthy", "healthy", "verified", "healthy"], world="open")
    operator.import_numbers(**HOOK)
    assert operator.run_number("N-0003").side is Side.CLOUD
    operator.cutover("hold", "N-0002")
    operator.run_number("N-0002")
    assert operator.cutover("plan", "north", "--limit", "1", "--canary", "1").exit_code == 0
    rows, folder, calls = everything(operator), files(operator), len(operator.harness.sandbox.world.log)
    writes = [call.call for call in operator.harness.sandbox.world.calls if call.write]
    output = operator.cutover(*verb, "--dry-run")
    assert output.exit_code == 0, output.stderr
    assert "Nothing was changed." in output.stdout
    assert everything(operator) == rows
    assert files(operator) == folder
    assert [call.call for call in operator.harness.sandbox.world.calls if call.write] == writes
    if verb[0] != "back-to-onprem":
        assert len(operator.harness.sandbox.world.log) == calls, "neither side was even read"
    said = [line for line in output.stdout.splitlines() if line.startswith("next")]
    assert all("the same command with" in line for line in said), "not what would come after the change"
    document = operator.cutover(*verb, "--dry-run", "--json").document
    assert document["dry_run"] is True
    assert "the same command with" in document.get("next", "the same command without --dry-run")
    assert everything(operator) == rows


@pytest.mark.parametrize(
    ("confirmed", "said"),
    [(False, "the same command without --dry-run"), (True, "the same command with --confirm N-0001")],
)
def test_no_report_of_a_dry_run_names_what_would_come_after(confirmed: bool, said: str) -> None:
    """Whatever the verb gives as its next command: rotate-pin named `reveal`, which would have shown the old PIN."""
    report = ChangeReport(as_json=True, dry_run=True, needs_confirm=confirmed, subject="N-0001")
    report.next("cutover reveal N-0001")
    assert report.document["next"] == said


IRREVERSIBLE = [verb for verb in DRY if verb[0] in ("stop", "abort", "back-to-onprem")] + [
    verb for verb in DRY if "--dispose" in verb or "FORWARD_RECOVERY" in verb
]


@pytest.mark.parametrize("verb", IRREVERSIBLE, ids=" ".join)
def test_an_irreversible_command_needs_the_number_as_confirmation(
    make_operator: MakeOperator, verb: tuple[str, ...]
) -> None:
    operator = make_operator(kinds=["healthy", "healthy", "verified", "healthy"], world="open")
    operator.import_numbers(**HOOK)
    operator.run_number("N-0003")
    operator.cutover("plan", "north", "--limit", "1")
    rows = everything(operator)
    output = operator.cutover(*verb)
    assert output.exit_code == 2
    assert f"--confirm {verb[1]}" in output.error_line
    assert "would" in output.stdout
    other = operator.cutover(*verb, "--confirm", "N-0004")
    assert (other.exit_code, "is not " + verb[1] in other.error_line) == (2, True)
    assert everything(operator) == rows
    assert operator.cutover(*verb, "--confirm", verb[1]).exit_code == 0
    assert everything(operator) != rows


# -- numbers


def test_abort_resumes_the_senders_and_ends_the_number(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers(**HOOK)
    operator.advance_to("drain")
    output = operator.cutover("abort", "N-0001", "--because", "customer left", "--confirm", "n-0001", "--json")
    assert output.exit_code == 0, output.stderr
    assert (output.document["now"]["status"], output.document["after"]["status"]) == ("ready", "aborted")
    assert operator.calls()[-2:] == ["pause_sends", "resume_sends"]
    assert operator.sandbox_number().platform == "ON_PREMISE"
    second = operator.cutover("abort", "N-0001", "--because", "x", "--confirm", "N-0001")
    assert (second.exit_code, second.error_line) == (1, "N-0001 is aborted; nothing was changed")


def test_a_refused_code_is_reported_until_another_one_is_entered(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["no_backup"])
    operator.import_numbers()
    operator.advance_to("verify_code")
    wrong = f"{(int(operator.newest_code()) + 1) % 1_000_000:06d}"
    operator.cutover("enter-code", "N-0001", "--stdin", typed=wrong + "\n")
    for _ in range(2):
        output = operator.cutover("run", "N-0001", "--patience", "0")
        assert (output.exit_code, "the one that was typed was refused; type it with" in output.stdout) == (3, True), (
            output.stdout
        )
        assert wrong not in output.stdout
    operator.cutover("enter-code", "N-0001", "--stdin", typed=operator.newest_code() + "\n")
    assert operator.cutover("run", "N-0001").exit_code == 0
    assert operator.position().side is Side.CLOUD


def test_abort_past_the_point_of_no_return_is_refused(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    operator.advance_to("confirm")
    calls = operator.calls()
    output = operator.cutover("abort", "N-0001", "--because", "late", "--confirm", "N-0001")
    assert (output.exit_code, "point of no return" in output.error_line) == (1, True)
    assert operator.calls() == calls


def test_back_to_onprem_in_an_open_world(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["verified"], world="open")
    operator.import_numbers(**HOOK)
    operator.run_number()
    output = operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (output.exit_code, operator.position().side, operator.position().status) == (
        0,
        Side.ON_PREMISES,
        Status.DONE,
    )
    assert "the way back is unknown" in output.stdout
    assert operator.sandbox_number().side == "on_premises"
    second = operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (second.exit_code, second.error_line) == (1, "N-0001 is back on On-Premises already; nothing was changed")


def test_back_to_onprem_in_a_closed_world(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="closing")
    operator.import_numbers()
    operator.run_number()
    operator.cutover("fact", "onprem_registration", "blocked", "--because", "1005 for N-0001")
    calls = operator.calls()
    for more in ([], ["--dry-run"]):
        output = operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001", *more)
        assert output.exit_code == 1
        assert output.error_line.startswith("the way back of N-0001 is closed: On-Premises registration is blocked")
        assert "stays there" in output.error_line
    assert operator.calls() == calls


def test_back_to_onprem_of_a_number_that_never_moved(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    output = operator.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert output.exit_code == 1
    assert output.error_line == (
        "N-0001 never left On-Premises; nothing was changed; "
        '`cutover abort N-0001 --because "..." --confirm N-0001` ends its migration'
    )
    assert operator.calls() == []


def refused(operator: Operator, *verb: str, exit_code: int = 1) -> str:
    """The one line of a refusal. Asserts that no row changed, nothing was sent, and no effect was announced."""
    rows, calls = everything(operator), sent(operator)
    output = operator.cutover(*verb)
    assert output.exit_code == exit_code, output.stderr
    assert not re.search(r"^(will|after)", output.stdout, re.MULTILINE), output.stdout
    assert (everything(operator), sent(operator)) == (rows, calls)
    return output.error_line


BACK = ("back-to-onprem", "N-0001", "--confirm", "N-0001")


def test_a_refused_rollback_changes_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["verified", "healthy"], world="open")
    operator.import_numbers(**HOOK)
    assert refused(operator, *BACK).startswith("N-0001 never left On-Premises; nothing was changed; ")
    operator.cutover("abort", "N-0002", "--because", "x", "--confirm", "N-0002")
    line = refused(operator, "back-to-onprem", "N-0002", "--confirm", "N-0002")
    assert line == "N-0002 never left On-Premises; nothing was changed", "there is no migration left to abort"
    operator.run_number()
    assert operator.cutover(*BACK).exit_code == 0
    assert refused(operator, *BACK) == "N-0001 is back on On-Premises already; nothing was changed"
    assert refused(operator, *BACK, "--dry-run") == "N-0001 is back on On-Premises already; nothing was changed"


def test_a_closed_rollback_changes_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"], world="closing")
    operator.import_numbers()
    operator.run_number()
    operator.cutover("fact", "onprem_registration", "blocked", "--because", "1005 for N-0001")
    assert "it serves from Cloud and stays there; nothing was changed" in refused(operator, *BACK)
    operator.change_at_meta("platform", "NOT_APPLICABLE")
    line = refused(operator, *BACK, "--dry-run")
    assert '`cutover resolve N-0001 --switch FORWARD_RECOVERY --because "..." --confirm N-0001`' in line


def test_a_second_hold_or_release_changes_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert refused(operator, "release", "N-0001") == "N-0001 is not on hold"
    assert operator.cutover("hold", "N-0001").exit_code == 0
    assert refused(operator, "hold", "N-0001") == "N-0001 is on hold already"
    assert operator.cutover("abort", "N-0001", "--because", "x", "--confirm", "N-0001").exit_code == 0
    for verb in ("hold", "release"):
        assert refused(operator, verb, "N-0001") == "N-0001 is aborted; nothing was changed"


HELD_BY_ANOTHER = [
    ("abort", "N-0001", "--because", "left", "--confirm", "N-0001"),
    ("abort", "N-0001", "--because", "left", "--dry-run"),
    ("resolve", "N-0001", "--switch", "CODE_FIRST", "--because", "no backup"),
    ("resolve", "N-0001", "--switch", "FORWARD_RECOVERY", "--because", "dark", "--confirm", "N-0001"),
    ("resolve", "N-0001", "--dispose", "churned", "--because", "left", "--confirm", "N-0001"),
    ("resolve", "N-0001", "--spend-reserve", "--because", "sure"),
]


@pytest.mark.parametrize("verb", HELD_BY_ANOTHER, ids=" ".join)
def test_a_command_on_a_number_that_another_worker_holds_is_refused(
    make_operator: MakeOperator, verb: tuple[str, ...]
) -> None:
    operator = make_operator()
    operator.import_numbers()
    operator.with_app(lambda app: app.ledger.leases.acquire(1, "another worker", timedelta(minutes=1)))
    assert "N-0001 is held by another worker" in refused(operator, *verb, exit_code=11)
    operator.harness.clock.advance(61)
    assert operator.cutover(*verb).exit_code == 0, "its lease has ended"


def test_a_refused_abort_announces_no_effect(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    operator.advance_to("confirm")
    assert "point of no return" in refused(operator, "abort", "N-0001", "--because", "late", "--confirm", "N-0001")
    assert "point of no return" in refused(operator, "abort", "N-0001", "--because", "late", "--dry-run")


@pytest.mark.parametrize("because", ["", "  "])
@pytest.mark.parametrize(
    "verb",
    [
        ("abort", "N-0001", "--confirm", "N-0001"),
        ("resolve", "N-0001", "--switch", "CODE_FIRST"),
        ("stop", "north", "--confirm", "north"),
    ],
    ids=" ".join,
)
def test_an_empty_reason_is_refused(make_operator: MakeOperator, verb: tuple[str, ...], because: str) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert operator.cutover("plan", "north").exit_code == 0
    line = refused(operator, *verb, "--because", because, exit_code=2)
    assert line == f"invalid value for '--because': it is empty; see `cutover {verb[0]} --help`"


@pytest.mark.parametrize("verb", ["hold", "release", "run", "preflight"])
def test_an_empty_name_is_refused(make_operator: MakeOperator, verb: str) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert refused(operator, verb, "", exit_code=2) == "which number or wave? `cutover status` lists both"


def test_hold_and_release_of_a_number(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert operator.cutover("hold", "N-0001", "--because", "campaign").exit_code == 0
    assert operator.cutover("hold", "N-0001").error_line == "N-0001 is on hold already"
    assert operator.cutover("run", "N-0001", "--patience", "0").exit_code == 3
    assert "register" not in operator.calls()
    output = operator.cutover("release", "N-0001", "--json")
    assert (output.exit_code, output.document["next"]) == (0, "cutover run N-0001")
    assert operator.cutover("release", "N-0001").error_line == "N-0001 is not on hold"
    assert operator.cutover("run", "N-0001").exit_code == 0
    events = operator.with_app(lambda app: app.queries.records.events(1))
    assert any(event.kind == "hold" and event.facts["reason"] == "campaign" for event in events)


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (("resolve", "N-0001", "--because", "x"), "give exactly one of"),
        (("resolve", "N-0001", "--look-again", "--two-step-off", "--because", "x"), "give exactly one of"),
        (("resolve", "N-0001", "--switch", "BACK_TO_ONPREM", "--because", "x"), "cutover back-to-onprem N-0001"),
        (("release", "N-0001", "--canary"), "--canary and --only are for waves"),
        (("release", "north", "--canary", "--only", "N-0001"), "give one of --canary, --only and --all"),
        (("fact", "moon_phase", "full", "--because", "x"), "no question is called moon_phase"),
        (("fact", "onprem_registration", "maybe", "--because", "x"), "is open or blocked, not maybe"),
        (("fact", "onprem_registration", "open"), "needs its evidence"),
        (("plan", "N-0007"), "a wave is not called"),
        (("plan", " "), "a wave is not called"),
        (("plan", " north"), "with no space around it"),
        (("plan", "a\nb"), r"a wave is not called 'a\nb': give it a name of one line"),
        (("plan", "{{ north }}"), "without {{"),
        (("plan", "--", "-x"), "without - at its start"),
        (("plan", "x" * 101), "of at most 100 characters"),
        (("plan", "north", "--halt-count", "9" * 20), "less than or equal to"),
        (("plan", "north", "--halt-share", "nan"), "less than or equal to"),
        (("run", "N-0001", "--patience", "inf"), "less than or equal to"),
        (("run", "N-0001", "--patience", "nan"), "than or equal to"),
        (("hold", "a\udcff"), "is not text in UTF-8"),
    ],
    ids=str,
)
def test_an_error_of_usage_names_what_is_wrong(
    make_operator: MakeOperator, verb: tuple[str, ...], message: str
) -> None:
    operator = make_operator()
    operator.import_numbers()
    output = operator.cutover(*verb)
    assert (output.exit_code, message in output.error_line) == (2, True), output.stderr


@pytest.mark.parametrize(
    ("verb", "exit_code", "message"),
    [
        (("hold", "nowhere"), 10, "there is no wave and no number nowhere"),
        (("release", "nowhere"), 10, "there is no wave and no number nowhere"),
        (("stop", "nowhere", "--because", "x", "--confirm", "nowhere"), 10, "there is no wave nowhere"),
        (("abort", "N-0009", "--because", "x", "--confirm", "N-0009"), 10, "no such number"),
        (("back-to-onprem", "N-0009", "--confirm", "N-0009"), 10, "no such number"),
        (("resolve", "N-0009", "--look-again", "--because", "x"), 10, "no such number"),
        (("resolve", "N-0001", "--look-again", "--because", "x"), 1, "there is nothing to resolve"),
        (("resolve", "N-0001", "--switch", "SIDEWAYS", "--because", "x"), 1, "there is no itinerary"),
        (("resolve", "N-0001", "--dispose", "eaten", "--because", "x", "--confirm", "N-0001"), 1, "no disposition"),
        (("runbook", "no-such-page"), 10, "there is no runbook no-such-page"),
        (("runbook", "abort", "N-0009"), 10, "no such number"),
        (("plan", "south", "--rule", "colour=red"), 1, "give tag, customer or volume"),
        (("plan", "south", "--rule", "tag=nowhere"), 1, "would be empty"),
        (("plan", "south", "--rule", ""), 1, "the rule is empty; leave --rule out"),
        (("plan", "south", "--rule", " , "), 1, "the rule is empty"),
        (("plan", "south", "--canary", "9" * 25), 1, "is more than the whole of wave south (1)"),
        (("run", "a\nb"), 10, r"there is no wave and no number a\nb"),
        (("plan", "south", "--to", "2020-01-01 00:00"), 1, "the window ends in the past"),
        (("plan", "south", "--to", "2025-09-01 08:01"), 1, "shorter than one cutover (3 minutes for 1 of 1"),
        (("plan", "south", "--from", "2025-09-02 09:00", "--to", "2025-09-02 09:02"), 1, "shorter than one cutover"),
        (("plan", "south", "--to", "2026-01-01", "--tz", "Mars/Olympus"), 1, "there is no time zone 'Mars/Olympus'"),
        (("plan", "south", "--from", "tomorrow"), 1, "is not a date and time"),
    ],
    ids=str,
)
def test_bad_input_is_one_line_and_changes_nothing(
    make_operator: MakeOperator, verb: tuple[str, ...], exit_code: int, message: str
) -> None:
    operator = make_operator()
    operator.import_numbers()
    rows = everything(operator)
    output = operator.cutover(*verb)
    assert (output.exit_code, message in output.error_line) == (exit_code, True), output.stderr
    assert everything(operator) == rows


def test_a_pin_is_read_from_standard_input_and_never_shown(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    command = ("resolve", "N-0001", "--pin-handed-in", "--stdin", "--because", "owner changed it")
    output = operator.cutover(*command, typed="482913\n")
    assert output.exit_code == 0
    assert "482913" not in output.stdout + output.stderr + json.dumps(everything(operator), default=str)
    assert operator.position().pin_provenance == "handed_in"
    assert operator.cutover(*command, typed="٤٨٢٩١٣\u200e\n").exit_code == 0
    assert operator.cutover(*command, typed="48291\n").error_line == "a PIN is six digits; nothing was stored"
    assert operator.cutover(*command, typed="\n").exit_code == 2


# -- waves


def test_a_second_release_an_empty_wave_and_a_number_of_another_wave_are_refused(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    assert operator.cutover("plan", "north", "--limit", "2", "--canary", "1").exit_code == 0
    assert operator.cutover("plan", "south", "--limit", "1").exit_code == 0
    assert operator.cutover("plan", "east").error_line.endswith("wave east would be empty")
    output = operator.cutover("release", "north", "--only", "N-0003")
    assert (output.exit_code, output.error_line) == (1, "N-0003 is in wave south, not in north; nothing was changed")
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    assert "released for canary already" in operator.cutover("release", "north", "--canary").error_line
    assert operator.cutover("release", "north").exit_code == 0
    assert operator.cutover("release", "north").exit_code == 1
    assert operator.cutover("stop", "north", "--because", "over", "--confirm", "north").exit_code == 0
    assert operator.cutover("run", "north").error_line == "wave north is stopped: over; that is for good"
    assert operator.cutover("release", "north").error_line == "wave north is stopped; nothing was changed"
    assert operator.cutover("hold", "north").exit_code == 1


def test_a_plan_changes_only_the_given_options(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    window = ("--from", "2025-09-01 22:00", "--to", "2025-09-02 02:00", "--tz", "America/Sao_Paulo")
    output = operator.cutover("plan", "north", "--limit", "2", "--canary", "1", "--halt-count", "3", *window, "--json")
    plan = output.document["after"]
    assert (plan["numbers"], plan["released"], plan["window_start"]) == (2, "none", "2025-09-02T01:00:00+00:00")
    replanned = operator.cutover("plan", "north", "--concurrency", "4", "--json").document["after"]
    assert replanned == plan | {"concurrency": 4}


def test_a_running_wave_obeys_hold_and_release(make_operator: MakeOperator) -> None:
    """The loop runs in one process, and the commands in others; a restart of the loop changes nothing."""
    operator = make_operator(kinds=["healthy"] * 4)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1", "--concurrency", "2")
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 3
    assert [operator.position(f"N-000{n}").side for n in (1, 2)] == [Side.CLOUD, Side.ON_PREMISES]
    delays: list[float] = []

    async def run_loop(app: App) -> None:
        asked_at = None

        async def tick() -> None:
            nonlocal asked_at
            moved = [position for position in await app.queries.positions.board() if position.side is Side.CLOUD]
            if asked_at is None:
                asked_at = operator.harness.clock.now()
                await release()
            elif len(moved) > 1 and not delays:
                delays.append((operator.harness.clock.now() - asked_at).total_seconds())

        async def release() -> None:
            said = await asyncio.to_thread(operator.cutover, "release", "north", "--only", "N-0002")
            assert said.exit_code == 0, said.stderr

        loop = WaveLoop(app, app.runner.run_one, concurrency=2, patience=timedelta(seconds=10))
        await loop.run(NumberSelection(wave="north"), tick)

    operator.with_app(run_loop)
    assert operator.position("N-0002").side is Side.CLOUD
    assert delays[0] <= 60, "by the harness's clock, with the move itself"
    assert operator.position("N-0003").status is Status.HELD
    output = operator.cutover("hold", "north", "--because", "storm")
    assert output.exit_code == 0
    text = operator.cutover("status", "north").stdout
    assert "wave north: held, 4 numbers, canary N-0001, nothing crosses while it is held (released for canary" in text
    assert (
        operator.cutover("run", "north").error_line
        == "wave north is held: storm; `cutover release north --canary` lets it go"
    )
    assert operator.cutover("release", "north").exit_code == 0
    assert operator.cutover("run", "north").exit_code == 0
    assert [operator.calls(f"N-000{n}").count("register") for n in (1, 2, 3, 4)] == [1, 1, 1, 1]


@pytest.mark.parametrize("verb", ["hold", "stop"])
def test_a_held_or_stopped_wave_lets_at_most_one_more_number_cross(make_operator: MakeOperator, verb: str) -> None:
    operator = make_operator(kinds=["healthy"] * 6)
    operator.import_numbers()
    operator.cutover("plan", "north", "--concurrency", "1")
    crossed_at_command: list[int] = []

    def crossed() -> int:
        return sum("register" in operator.calls(f"N-000{n}") for n in range(1, 7))

    async def run_loop(app: App) -> None:
        await app.ledger.waves.set_state("north", to_running, allowed=[planned])
        began = operator.harness.clock.now()

        async def tick() -> None:
            board = await app.queries.positions.board()
            if not crossed_at_command and any(position.side is Side.CLOUD for position in board):
                more = ("--confirm", "north") if verb == "stop" else ()
                said = await asyncio.to_thread(operator.cutover, verb, "north", "--because", "storm", *more)
                assert said.exit_code == 0, said.stderr
                crossed_at_command.append(await asyncio.to_thread(crossed))
                assert operator.harness.clock.now() >= began

        loop = WaveLoop(app, app.runner.run_one, concurrency=1, patience=timedelta(seconds=10))
        await loop.run(NumberSelection(wave="north"), tick)

    from state.enums import WaveState

    to_running, planned = WaveState.RUNNING, WaveState.PLANNED
    operator.with_app(run_loop)
    assert crossed_at_command
    assert crossed() <= crossed_at_command[0] + 1, "at most the number whose intent was committed already"
    assert crossed() < 6
    assert all(operator.sandbox_number(f"N-000{n}").side in ("cloud", "on_premises") for n in range(1, 7))


# -- sweep, facts, keys, runbooks


def test_a_sweep_continues_started_numbers_and_starts_none(make_operator: MakeOperator) -> None:
    """After an import, a sweep alone starts no number: only what an operator or a run has started continues."""
    operator = make_operator(kinds=["healthy"] * 4)
    operator.import_numbers()
    operator.cutover("plan", "north", "--limit", "1")
    operator.advance_to("secure_pin", "N-0002")
    assert operator.cutover("hold", "N-0003").exit_code == 0
    assert operator.cutover("release", "N-0003").exit_code == 0
    assert operator.cutover("resolve", "N-0004", "--switch", "CODE_AFTER", "--because", "host gone").exit_code == 0
    output = operator.cutover("sweep", "--json")
    assert (output.exit_code, [number["ref"] for number in output.document["numbers"]]) == (0, ["N-0002"])
    sides = [operator.position(f"N-000{index}").side for index in range(1, 5)]
    assert sides == [Side.ON_PREMISES, Side.CLOUD, Side.ON_PREMISES, Side.ON_PREMISES]
    assert operator.cutover("sweep").stdout.startswith("now    0 numbers due")


def test_a_sweep_runs_an_abort_that_was_just_requested(make_operator: MakeOperator) -> None:
    """An itinerary that an operator requested is started by the request."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers()
    position = operator.position()
    operator.with_app(
        lambda app: app.ledger.operator_changes.switch(position.migration_id, ABORT.name, ABORT.first, "left", "tester")
    )
    assert operator.cutover("sweep", "--json").document["due"] == 1
    assert operator.position().status is Status.ABORTED


def test_a_fact_has_its_date_author_and_evidence(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    assert operator.cutover("fact", "--json").document["facts"][0]["value"] is None
    for value in ("accepted", "refused"):
        assert operator.cutover("fact", "code_while_on_premises", value, "--because", f"N-0001: {value}").exit_code == 0
    facts = {fact_row["name"]: fact_row for fact_row in operator.cutover("fact", "--json").document["facts"]}
    fact = facts["code_while_on_premises"]
    assert (fact["value"], fact["measured_by"], fact["evidence"]) == ("refused", "tester", "N-0001: refused")
    assert fact["measured_at"].startswith("2025-09-01")
    assert "N-0001: refused" not in operator.cutover("fact", "onprem_registration").stdout


def test_every_fact_that_the_code_reads_can_be_recorded() -> None:
    root = Path(__file__).parents[2] / "migration"
    names = {
        name
        for path in root.rglob("*.py")
        for name in re.findall(r'(?<!intent\.)(?<!sent\.)(?<!proved\.)\bfacts\.get\("([a-z_]+)"', path.read_text())
        if path.name not in ("register.py", "deregister_onprem.py", "recorder.py")
    }
    assert names == {fact.name for fact in field_facts().values() if fact.decides}


def test_a_rotated_key_opens_every_secret(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    operator.advance_to("pause_sends")
    key_file = operator.harness.folder / "master.key"
    old_keys = key_file.read_text().split()
    output = operator.cutover("rotate-key", "--json")
    assert output.exit_code == 0, output.stderr
    new_keys = key_file.read_text().split()
    assert (new_keys[1:], len(new_keys)) == (old_keys, 2)
    assert output.document["wrapped"] > 3
    assert output.document["after"]["under_older_keys"] == 0
    assert old_keys[0] not in output.stdout
    key_file.write_text(new_keys[0] + "\n")
    assert operator.cutover("run", "N-0001").exit_code == 0, "the new key alone opens token, password, PIN and backup"
    assert len(list((operator.harness.folder / "backups").glob("*.sealed"))) == 1


@pytest.mark.parametrize("commit", [None, 1])
def test_an_interrupted_rotation_is_finished_with_the_same_key(make_operator: MakeOperator, commit: int | None) -> None:
    operator = make_operator()
    operator.import_numbers()
    operator.advance_to("pause_sends")
    key_file = operator.harness.folder / "master.key"
    if commit is None:  # killed between the key file and the rows
        from migration.vault.sealing import new_master_key

        key_file.write_text(new_master_key().get_secret_value() + "\n" + key_file.read_text())
    else:  # killed between the rows and the shelf
        operator.harness.crash_point.at_commit = operator.harness.crash_point.commits + commit
        with pytest.raises(Killed):
            operator.cutover("rotate-key")
        operator.harness.crash_point.at_commit = None
    keys = key_file.read_text().split()
    assert len(keys) == 2
    assert operator.cutover("status").exit_code == 0
    output = operator.cutover("rotate-key", "--json")
    assert (output.exit_code, output.document["after"]["under_older_keys"]) == (0, 0)
    assert key_file.read_text().split() == keys
    key_file.write_text(keys[0] + "\n")
    assert operator.cutover("run", "N-0001").exit_code == 0


def test_a_second_rotation_is_refused_while_one_runs(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    key_file = operator.harness.folder / "master.key"
    keys = key_file.read_text()
    leftover = key_file.with_name(".master.key.0a1b2c3d")
    leftover.write_text("keys in clear")
    with rotation_lock(key_file):
        output = operator.cutover("rotate-key")
        assert (output.exit_code, key_file.read_text()) == (11, keys)
        assert "another rotation" in output.error_line
        assert leftover.exists()
    assert operator.cutover("rotate-key").exit_code == 0
    assert key_file.read_text().split()[1:] == keys.split()
    assert not leftover.exists()


def test_a_key_from_the_environment_is_not_rotated(make_operator: MakeOperator) -> None:
    operator = make_operator()
    operator.import_numbers()
    key = (operator.harness.folder / "master.key").read_text().strip()
    operator.env["CUTOVER_MASTER_KEY"] = key
    output = operator.cutover("rotate-key")
    assert (output.exit_code, output.error_line.startswith("the master key comes from CUTOVER_MASTER_KEY")) == (1, True)


def test_a_runbook_is_filled_in_for_a_number(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy", "business_app"])
    operator.import_numbers()
    operator.cutover("plan", "north")
    operator.run_number("N-0002")
    output = operator.cutover("runbook", "runbooks/business-app.md", "N-0002")
    assert output.exit_code == 0
    assert "cutover abort N-0002" in output.stdout
    assert "N-0001" not in output.stdout
    section = output.stdout.split("## What is true now\n")[1]
    assert section.strip().startswith("- N-0002")
    assert "is blocked at" in section
    assert "cutover hold north" in operator.cutover("runbook", "cutover-day", "N-0002").stdout
    assert {page["page"] for page in operator.cutover("runbook", "--json").document["pages"]} >= {"abort", "wrong-pin"}
    assert operator.cutover("runbook", "abort", "--json").document["title"] == "End a number's migration"


# -- a corrected inventory


def test_a_corrected_row_is_imported_and_an_aborted_number_starts_again(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("abort", "N-0001", "--because", "by mistake", "--confirm", "N-0001")
    path = str(operator.harness.inventory(code_method="VOICE", tags="pilot"))
    assert operator.cutover("import", path).exit_code == 1
    output = operator.cutover("import", path, "--correct", "--json")
    assert output.exit_code == 0, output.stderr
    assert output.document["corrected"] == ["N-0001", "N-0002"]
    assert [number["ref"] for number in output.document["begun_anew"]] == ["N-0001"]
    assert (operator.position().code_method, operator.position().status) == ("VOICE", Status.READY)
    assert operator.cutover("run").exit_code == 0


def test_the_ids_of_a_number_in_migration_are_not_corrected(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    numbers = operator.harness.sandbox.manifest("http://sandbox.localhost")["numbers"]
    operator.import_numbers()
    from tests.harness.partner_files import write_inventory

    path = operator.harness.folder / "other.csv"
    row = dict(numbers[0]) | {"phone_number_id": numbers[1]["phone_number_id"]}
    write_inventory(path, [row], {})
    rows = everything(operator)
    output = operator.cutover("import", str(path), "--correct")
    assert output.exit_code == 1
    assert everything(operator) == rows


def test_what_a_hook_is_told_names_the_home_in_its_key(make_operator: MakeOperator) -> None:
    """Under the bare key, a second home's words were swallowed as repeats of the first one's."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers(**HOOK)
    assert operator.run_number().side is Side.CLOUD
    keys = set(operator.harness.sandbox.world.hook.responses)
    (home,) = {key.split(":")[3] for key in keys}
    assert home == operator.with_app(_home_id)
    with_restore = operator.with_app(_key_after_a_restore)
    assert with_restore.startswith(f"{home}.")


async def _home_id(app: App) -> str:
    return app.home.home_id


async def _key_after_a_restore(app: App) -> str:
    await begin_epoch(app.database, app.home.openings + 1, None, None)
    return (await app.queries.positions.find("N-0001")).home
