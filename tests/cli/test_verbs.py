"""The verbs of an operator: what they change, what they refuse, and that a dry run writes nothing anywhere."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from migration.app import App
from migration.engine.itineraries import ABORT
from migration.fleet.field_facts import field_facts
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side, Status
from tests.cli.side_effects import Make, everything, files, sent
from tests.harness.in_process import Killed
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
    ("plan", "south", "--canary", "1"),
    ("plan", "north", "--canary", "1"),
    ("fact", "onprem_registration", "blocked", "--because", "N-0003 answered 1005"),
    ("rotate-key",),
    ("sweep",),
]


@pytest.mark.parametrize("verb", DRY, ids=" ".join)
def test_a_dry_run_writes_nothing_anywhere(operator: Make, verb: tuple[str, ...]) -> None:
    desk = operator(kinds=["healthy", "healthy", "verified", "healthy"], world="open")
    desk.taken_in(**HOOK)
    assert desk.drive("N-0003").side is Side.CLOUD
    desk.cutover("hold", "N-0002")
    desk.drive("N-0002")
    assert desk.cutover("plan", "north", "--limit", "1", "--released", "none").code == 0
    rows, before, calls = everything(desk), files(desk), len(desk.rig.sandbox.world.log)
    writes = [call.call for call in desk.rig.sandbox.world.calls if call.write]
    said = desk.cutover(*verb, "--dry-run")
    assert said.code == 0, said.err
    assert "Nothing was changed." in said.out
    assert everything(desk) == rows
    assert files(desk) == before
    assert [call.call for call in desk.rig.sandbox.world.calls if call.write] == writes
    if verb[0] != "back-to-onprem":
        assert len(desk.rig.sandbox.world.log) == calls, "nothing was even asked"
    told = desk.cutover(*verb, "--dry-run", "--json").document
    assert told["dry_run"] is True
    assert everything(desk) == rows


IRREVERSIBLE = [verb for verb in DRY if verb[0] in ("stop", "abort", "back-to-onprem")] + [
    verb for verb in DRY if "--dispose" in verb or "FORWARD_RECOVERY" in verb
]


@pytest.mark.parametrize("verb", IRREVERSIBLE, ids=" ".join)
def test_what_cannot_be_taken_back_asks_for_the_number_again(operator: Make, verb: tuple[str, ...]) -> None:
    desk = operator(kinds=["healthy", "healthy", "verified", "healthy"], world="open")
    desk.taken_in(**HOOK)
    desk.drive("N-0003")
    desk.cutover("plan", "north", "--limit", "1")
    rows = everything(desk)
    said = desk.cutover(*verb)
    assert said.code == 2
    assert f"--confirm {verb[1]}" in said.complaint
    assert "would" in said.out
    wrong = desk.cutover(*verb, "--confirm", "N-0004")
    assert (wrong.code, "is not " + verb[1] in wrong.complaint) == (2, True)
    assert everything(desk) == rows
    assert desk.cutover(*verb, "--confirm", verb[1]).code == 0
    assert everything(desk) != rows


# -- numbers


def test_abort_tells_the_senders_and_ends(operator: Make) -> None:
    desk = operator()
    desk.taken_in(**HOOK)
    desk.step_to("drain")
    said = desk.cutover("abort", "N-0001", "--because", "customer left", "--confirm", "n-0001", "--json")
    assert said.code == 0, said.err
    assert (said.document["now"]["status"], said.document["after"]["status"]) == ("ready", "aborted")
    assert desk.calls()[-2:] == ["pause_sends", "resume_sends"]
    assert desk.sim().platform == "ON_PREMISE"
    again = desk.cutover("abort", "N-0001", "--because", "x", "--confirm", "N-0001")
    assert (again.code, again.complaint) == (1, "N-0001 is aborted; nothing was changed")


def test_a_code_that_was_refused_is_told_as_long_as_another_is_waited_for(operator: Make) -> None:
    desk = operator(kinds=["no_backup"])
    desk.taken_in()
    desk.step_to("verify_code")
    wrong = f"{(int(desk.code()) + 1) % 1_000_000:06d}"
    desk.cutover("enter-code", "N-0001", "--stdin", typed=wrong + "\n")
    for _ in range(2):
        said = desk.cutover("run", "N-0001", "--patience", "0")
        assert (said.code, "the one that was typed was refused; type it with" in said.out) == (3, True), said.out
        assert wrong not in said.out
    desk.cutover("enter-code", "N-0001", "--stdin", typed=desk.code() + "\n")
    assert desk.cutover("run", "N-0001").code == 0
    assert desk.at().side is Side.CLOUD


def test_abort_past_the_point_of_no_return_is_refused(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    desk.step_to("confirm")
    calls = desk.calls()
    said = desk.cutover("abort", "N-0001", "--because", "late", "--confirm", "N-0001")
    assert (said.code, "point of no return" in said.complaint) == (1, True)
    assert desk.calls() == calls


def test_back_to_onprem_where_it_is_open(operator: Make) -> None:
    desk = operator(kinds=["verified"], world="open")
    desk.taken_in(**HOOK)
    desk.drive()
    said = desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (said.code, desk.at().side, desk.at().status) == (0, Side.ON_PREMISES, Status.DONE)
    assert "the way back is unknown" in said.out
    assert desk.sim().side == "on_premises"
    again = desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert (again.code, again.complaint) == (1, "N-0001 is back on On-Premises already; nothing was changed")


def test_back_to_onprem_in_a_closed_world(operator: Make) -> None:
    desk = operator(kinds=["healthy"], world="closing")
    desk.taken_in()
    desk.drive()
    desk.cutover("fact", "onprem_registration", "blocked", "--because", "1005 for N-0001")
    calls = desk.calls()
    for more in ([], ["--dry-run"]):
        said = desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001", *more)
        assert said.code == 1
        assert said.complaint.startswith("the way back of N-0001 is closed: On-Premises registration is blocked")
        assert "stays there" in said.complaint
    assert desk.calls() == calls


def test_back_to_onprem_of_a_number_that_never_moved(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    said = desk.cutover("back-to-onprem", "N-0001", "--confirm", "N-0001")
    assert said.code == 1
    assert said.complaint == (
        "N-0001 never left On-Premises; nothing was changed; "
        '`cutover abort N-0001 --because "..." --confirm N-0001` ends its migration'
    )
    assert desk.calls() == []


def refused(desk: Operator, *verb: str, code: int = 1) -> str:
    """The one line of a refusal. No row is another, nothing was sent, and nothing was promised before it."""
    rows, calls = everything(desk), sent(desk)
    told = desk.cutover(*verb)
    assert told.code == code, told.err
    assert not re.search(r"^(will|after)", told.out, re.MULTILINE), told.out
    assert (everything(desk), sent(desk)) == (rows, calls)
    return told.complaint


BACK = ("back-to-onprem", "N-0001", "--confirm", "N-0001")


def test_a_refused_way_back_changes_nothing(operator: Make) -> None:
    desk = operator(kinds=["verified", "healthy"], world="open")
    desk.taken_in(**HOOK)
    assert refused(desk, *BACK).startswith("N-0001 never left On-Premises; nothing was changed; ")
    desk.cutover("abort", "N-0002", "--because", "x", "--confirm", "N-0002")
    never = refused(desk, "back-to-onprem", "N-0002", "--confirm", "N-0002")
    assert never == "N-0002 never left On-Premises; nothing was changed", "there is no migration left to abort"
    desk.drive()
    assert desk.cutover(*BACK).code == 0
    assert refused(desk, *BACK) == "N-0001 is back on On-Premises already; nothing was changed"
    assert refused(desk, *BACK, "--dry-run") == "N-0001 is back on On-Premises already; nothing was changed"


def test_a_way_back_that_is_closed_changes_nothing(operator: Make) -> None:
    desk = operator(kinds=["healthy"], world="closing")
    desk.taken_in()
    desk.drive()
    desk.cutover("fact", "onprem_registration", "blocked", "--because", "1005 for N-0001")
    assert "it serves from Cloud and stays there; nothing was changed" in refused(desk, *BACK)
    desk.change("platform", "NOT_APPLICABLE")
    said = refused(desk, *BACK, "--dry-run")
    assert '`cutover resolve N-0001 --switch FORWARD_RECOVERY --because "..." --confirm N-0001`' in said


def test_a_second_hold_and_a_second_release_change_nothing(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    assert refused(desk, "release", "N-0001") == "N-0001 is not on hold"
    assert desk.cutover("hold", "N-0001").code == 0
    assert refused(desk, "hold", "N-0001") == "N-0001 is on hold already"
    assert desk.cutover("abort", "N-0001", "--because", "x", "--confirm", "N-0001").code == 0
    for verb in ("hold", "release"):
        assert refused(desk, verb, "N-0001") == "N-0001 is aborted; nothing was changed"


HELD_BY_ANOTHER = [
    ("abort", "N-0001", "--because", "left", "--confirm", "N-0001"),
    ("abort", "N-0001", "--because", "left", "--dry-run"),
    ("resolve", "N-0001", "--switch", "CODE_FIRST", "--because", "no backup"),
    ("resolve", "N-0001", "--switch", "FORWARD_RECOVERY", "--because", "dark", "--confirm", "N-0001"),
    ("resolve", "N-0001", "--dispose", "churned", "--because", "left", "--confirm", "N-0001"),
    ("resolve", "N-0001", "--spend-reserve", "--because", "sure"),
]


@pytest.mark.parametrize("verb", HELD_BY_ANOTHER, ids=" ".join)
def test_a_number_that_another_worker_holds(operator: Make, verb: tuple[str, ...]) -> None:
    desk = operator()
    desk.taken_in()
    desk.do(lambda app: app.ledger.leases.acquire(1, "another worker", timedelta(minutes=1)))
    assert "N-0001 is held by another worker" in refused(desk, *verb, code=11)
    desk.rig.clock.advance(61)
    assert desk.cutover(*verb).code == 0, "its lease has ended"


def test_an_abort_past_the_point_of_no_return_promises_nothing(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    desk.step_to("confirm")
    assert "point of no return" in refused(desk, "abort", "N-0001", "--because", "late", "--confirm", "N-0001")
    assert "point of no return" in refused(desk, "abort", "N-0001", "--because", "late", "--dry-run")


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
def test_a_reason_is_not_empty(operator: Make, verb: tuple[str, ...], because: str) -> None:
    desk = operator()
    desk.taken_in()
    assert desk.cutover("plan", "north").code == 0
    said = refused(desk, *verb, "--because", because, code=2)
    assert said == f"invalid value for '--because': it is empty; see `cutover {verb[0]} --help`"


@pytest.mark.parametrize("verb", ["hold", "release", "run", "preflight"])
def test_a_name_is_not_empty(operator: Make, verb: str) -> None:
    desk = operator()
    desk.taken_in()
    assert refused(desk, verb, "", code=2) == "which number or wave? `cutover status` lists both"


def test_hold_and_release_of_a_number(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    assert desk.cutover("hold", "N-0001", "--because", "campaign").code == 0
    assert desk.cutover("hold", "N-0001").complaint == "N-0001 is on hold already"
    assert desk.cutover("run", "N-0001", "--patience", "0").code == 3
    assert "register" not in desk.calls()
    said = desk.cutover("release", "N-0001", "--json")
    assert (said.code, said.document["next"]) == (0, "cutover run N-0001")
    assert desk.cutover("release", "N-0001").complaint == "N-0001 is not on hold"
    assert desk.cutover("run", "N-0001").code == 0
    events = desk.do(lambda app: app.queries.events(1))
    assert any(one.kind == "hold" and one.facts["reason"] == "campaign" for one in events)


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (("resolve", "N-0001", "--because", "x"), "give exactly one of"),
        (("resolve", "N-0001", "--look-again", "--two-step-off", "--because", "x"), "give exactly one of"),
        (("resolve", "N-0001", "--switch", "BACK_TO_ONPREM", "--because", "x"), "cutover back-to-onprem N-0001"),
        (("release", "N-0001", "--canary"), "--canary and --only are for waves"),
        (("release", "north", "--canary", "--only", "N-0001"), "not both"),
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
def test_usage(operator: Make, verb: tuple[str, ...], said: str) -> None:
    desk = operator()
    desk.taken_in()
    told = desk.cutover(*verb)
    assert (told.code, said in told.complaint) == (2, True), told.err


@pytest.mark.parametrize(
    ("verb", "code", "said"),
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
def test_bad_input_is_one_line_and_changes_nothing(operator: Make, verb: tuple[str, ...], code: int, said: str) -> None:
    desk = operator()
    desk.taken_in()
    rows = everything(desk)
    told = desk.cutover(*verb)
    assert (told.code, said in told.complaint) == (code, True), told.err
    assert everything(desk) == rows


def test_a_pin_is_asked_for_and_never_shown(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    typed = ("resolve", "N-0001", "--pin-handed-in", "--stdin", "--because", "owner changed it")
    said = desk.cutover(*typed, typed="482913\n")
    assert said.code == 0
    assert "482913" not in said.out + said.err + json.dumps(everything(desk), default=str)
    assert desk.at().pin_provenance == "handed_in"
    assert desk.cutover(*typed, typed="48291\n").complaint == "a PIN is six digits; nothing was stored"
    assert desk.cutover(*typed, typed="\n").code == 2


# -- waves


def test_a_second_release_an_empty_wave_and_a_number_of_another_wave(operator: Make) -> None:
    desk = operator(kinds=["healthy"] * 3)
    desk.taken_in()
    assert desk.cutover("plan", "north", "--limit", "2", "--canary", "1").code == 0
    assert desk.cutover("plan", "south", "--limit", "1").code == 0
    assert desk.cutover("plan", "east").complaint.endswith("wave east would be empty")
    said = desk.cutover("release", "north", "--only", "N-0003")
    assert (said.code, said.complaint) == (1, "N-0003 is in wave south, not in north; nothing was changed")
    assert desk.cutover("release", "north", "--canary").code == 0
    assert "released for canary already" in desk.cutover("release", "north", "--canary").complaint
    assert desk.cutover("release", "north").code == 0
    assert desk.cutover("release", "north").code == 1
    assert desk.cutover("stop", "north", "--because", "over", "--confirm", "north").code == 0
    assert desk.cutover("run", "north").complaint == "wave north is stopped: over; that is for good"
    assert desk.cutover("release", "north").complaint == "wave north is stopped; nothing was changed"
    assert desk.cutover("hold", "north").code == 1


def test_a_wave_is_changed_only_where_it_was_asked(operator: Make) -> None:
    desk = operator(kinds=["healthy"] * 3)
    desk.taken_in()
    window = ("--from", "2025-09-01 22:00", "--to", "2025-09-02 02:00", "--tz", "America/Sao_Paulo")
    said = desk.cutover("plan", "north", "--limit", "2", "--canary", "1", "--halt-count", "3", *window, "--json")
    made = said.document["after"]
    assert (made["numbers"], made["released"], made["window_start"]) == (2, "none", "2025-09-02T01:00:00+00:00")
    changed = desk.cutover("plan", "north", "--concurrency", "4", "--json").document["after"]
    assert changed == made | {"concurrency": 4}


def test_a_running_wave_hears_hold_release_and_stop(operator: Make) -> None:
    """The loop runs in one process and the commands come from others; a restart of the loop changes nothing."""
    desk = operator(kinds=["healthy"] * 4)
    desk.taken_in()
    desk.cutover("plan", "north", "--canary", "1", "--concurrency", "2")
    assert desk.cutover("release", "north", "--canary").code == 0
    assert desk.cutover("run", "north", "--patience", "0").code == 3
    assert [desk.at(f"N-000{n}").side for n in (1, 2)] == [Side.CLOUD, Side.ON_PREMISES]
    heard: list[float] = []

    async def story(app: App) -> None:
        asked_at = None

        async def tick() -> None:
            nonlocal asked_at
            moved = [at for at in await app.queries.board() if at.side is Side.CLOUD]
            if asked_at is None:
                asked_at = desk.rig.clock.now()
                await release()
            elif len(moved) > 1 and not heard:
                heard.append((desk.rig.clock.now() - asked_at).total_seconds())

        async def release() -> None:
            said = await asyncio.to_thread(desk.cutover, "release", "north", "--only", "N-0002")
            assert said.code == 0, said.err

        loop = WaveLoop(app, app.runner.run_one, concurrency=2, patience=timedelta(seconds=10))
        await loop.run(NumberSelection(wave="north"), tick)

    desk.do(story)
    assert desk.at("N-0002").side is Side.CLOUD
    assert heard[0] <= 60, "by the clock of the story, the move itself included"
    assert desk.at("N-0003").status is Status.HELD
    said = desk.cutover("hold", "north", "--because", "storm")
    assert said.code == 0
    assert "wave north: held, 4 numbers, released for canary: storm" in desk.cutover("status", "north").out
    assert desk.cutover("run", "north").complaint == "wave north is held: storm; `cutover release north` lets it go"
    assert desk.cutover("release", "north").code == 0
    assert desk.cutover("run", "north").code == 0
    assert [desk.calls(f"N-000{n}").count("register") for n in (1, 2, 3, 4)] == [1, 1, 1, 1]


@pytest.mark.parametrize("verb", ["hold", "stop"])
def test_a_wave_in_motion_crosses_nothing_more_within_five_seconds(operator: Make, verb: str) -> None:
    desk = operator(kinds=["healthy"] * 6)
    desk.taken_in()
    desk.cutover("plan", "north", "--concurrency", "1")
    crossed_at_word: list[int] = []

    def crossed() -> int:
        return sum("register" in desk.calls(f"N-000{n}") for n in range(1, 7))

    async def story(app: App) -> None:
        await app.ledger.waves.move("north", to_running, allowed=[planned])
        began = desk.rig.clock.now()

        async def tick() -> None:
            board = await app.queries.board()
            if not crossed_at_word and any(at.side is Side.CLOUD for at in board):
                more = ("--confirm", "north") if verb == "stop" else ()
                said = await asyncio.to_thread(desk.cutover, verb, "north", "--because", "storm", *more)
                assert said.code == 0, said.err
                crossed_at_word.append(await asyncio.to_thread(crossed))
                assert desk.rig.clock.now() >= began

        loop = WaveLoop(app, app.runner.run_one, concurrency=1, patience=timedelta(seconds=10))
        await loop.run(NumberSelection(wave="north"), tick)

    from state.enums import WaveState

    to_running, planned = WaveState.RUNNING, WaveState.PLANNED
    desk.do(story)
    assert crossed_at_word
    assert crossed() <= crossed_at_word[0] + 1, "at most the one whose intent was committed already"
    assert crossed() < 6
    assert all(desk.sim(f"N-000{n}").side in ("cloud", "on_premises") for n in range(1, 7))


# -- sweep, facts, keys, runbooks


def test_a_sweep_goes_on_with_what_was_begun_and_begins_nothing(operator: Make) -> None:
    """A fleet that was just imported, and a worker that is there: nobody has asked for anything yet."""
    desk = operator(kinds=["healthy"] * 4)
    desk.taken_in()
    desk.cutover("plan", "north", "--limit", "1")
    desk.step_to("secure_pin", "N-0002")
    assert desk.cutover("hold", "N-0003").code == 0
    assert desk.cutover("release", "N-0003").code == 0
    assert desk.cutover("resolve", "N-0004", "--switch", "CODE_AFTER", "--because", "host gone").code == 0
    said = desk.cutover("sweep", "--json")
    assert (said.code, [one["ref"] for one in said.document["numbers"]]) == (0, ["N-0002"])
    sides = [desk.at(f"N-000{place}").side for place in range(1, 5)]
    assert sides == [Side.ON_PREMISES, Side.CLOUD, Side.ON_PREMISES, Side.ON_PREMISES]
    assert desk.cutover("sweep").out.startswith("now    0 numbers due")


def test_a_sweep_goes_on_with_an_abort_that_nobody_has_worked_at(operator: Make) -> None:
    """What a person asked for beside the planned ways was begun by asking."""
    desk = operator(kinds=["healthy"])
    desk.taken_in()
    at = desk.at()
    desk.do(lambda app: app.ledger.operator_changes.switch(at.migration_id, ABORT.name, ABORT.first, "left", "tester"))
    assert desk.cutover("sweep", "--json").document["due"] == 1
    assert desk.at().status is Status.ABORTED


def test_a_fact_is_dated_and_says_who_measured(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    assert desk.cutover("fact", "--json").document["facts"][0]["value"] is None
    for value in ("accepted", "refused"):
        assert desk.cutover("fact", "code_while_on_premises", value, "--because", f"N-0001: {value}").code == 0
    told = {one["name"]: one for one in desk.cutover("fact", "--json").document["facts"]}
    fact = told["code_while_on_premises"]
    assert (fact["value"], fact["measured_by"], fact["evidence"]) == ("refused", "tester", "N-0001: refused")
    assert fact["measured_at"].startswith("2025-09-01")
    assert "N-0001: refused" not in desk.cutover("fact", "onprem_registration").out


def test_every_fact_that_the_code_asks_for_can_be_stated() -> None:
    root = Path(__file__).parents[2] / "migration"
    asked = {
        name
        for path in root.rglob("*.py")
        for name in re.findall(r'(?<!intent\.)\bfacts\.get\("([a-z_]+)"', path.read_text())
        if path.name not in ("register.py", "deregister_onprem.py")
    }
    assert asked == {fact.name for fact in field_facts().values() if fact.decides}


def test_a_rotated_key_opens_everything_and_the_old_one_nothing_new(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    desk.step_to("pause_sends")
    key_file = desk.rig.folder / "master.key"
    old = key_file.read_text().split()
    said = desk.cutover("rotate-key", "--json")
    assert said.code == 0, said.err
    new = key_file.read_text().split()
    assert (new[1:], len(new)) == (old, 2)
    assert said.document["wrapped"] > 3
    assert said.document["after"]["under_older_keys"] == 0
    assert old[0] not in said.out
    key_file.write_text(new[0] + "\n")
    assert desk.cutover("run", "N-0001").code == 0, "the new key alone opens token, password, PIN and backup"
    assert len(list((desk.rig.folder / "backups").glob("*.sealed"))) == 1


@pytest.mark.parametrize("commit", [None, 1])
def test_a_rotation_that_was_cut_off_is_finished_with_the_same_key(operator: Make, commit: int | None) -> None:
    desk = operator()
    desk.taken_in()
    desk.step_to("pause_sends")
    key_file = desk.rig.folder / "master.key"
    if commit is None:  # killed between the key file and the rows
        from migration.vault.sealing import new_master_key

        key_file.write_text(new_master_key().get_secret_value() + "\n" + key_file.read_text())
    else:  # killed between the rows and the shelf
        desk.rig.scythe.at_commit = desk.rig.scythe.commits + commit
        with pytest.raises(Killed):
            desk.cutover("rotate-key")
        desk.rig.scythe.at_commit = None
    keys = key_file.read_text().split()
    assert len(keys) == 2
    assert desk.cutover("status").code == 0
    said = desk.cutover("rotate-key", "--json")
    assert (said.code, said.document["after"]["under_older_keys"]) == (0, 0)
    assert key_file.read_text().split() == keys
    key_file.write_text(keys[0] + "\n")
    assert desk.cutover("run", "N-0001").code == 0


def test_a_key_from_the_environment_is_not_made_here(operator: Make) -> None:
    desk = operator()
    desk.taken_in()
    key = (desk.rig.folder / "master.key").read_text().strip()
    desk.env["CUTOVER_MASTER_KEY"] = key
    said = desk.cutover("rotate-key")
    assert (said.code, said.complaint.startswith("the master key comes from CUTOVER_MASTER_KEY")) == (1, True)


def test_a_runbook_is_filled_in_for_a_number(operator: Make) -> None:
    desk = operator(kinds=["healthy", "business_app"])
    desk.taken_in()
    desk.cutover("plan", "north")
    desk.drive("N-0002")
    said = desk.cutover("runbook", "runbooks/business-app.md", "N-0002")
    assert said.code == 0
    assert "cutover abort N-0002" in said.out
    assert "N-0001" not in said.out
    truth = said.out.split("## What is true now\n")[1]
    assert truth.strip().startswith("- N-0002")
    assert "is blocked at" in truth
    assert "cutover hold north" in desk.cutover("runbook", "cutover-day", "N-0002").out
    assert {one["page"] for one in desk.cutover("runbook", "--json").document["pages"]} >= {"abort", "wrong-pin"}
    assert desk.cutover("runbook", "abort", "--json").document["title"] == "End a number's migration"


# -- a corrected inventory


def test_a_corrected_row_is_taken_over_and_an_aborted_number_begins_anew(operator: Make) -> None:
    desk = operator(kinds=["healthy"] * 2)
    desk.taken_in()
    desk.cutover("abort", "N-0001", "--because", "by mistake", "--confirm", "N-0001")
    path = str(desk.rig.inventory(code_method="VOICE", tags="pilot"))
    assert desk.cutover("import", path).code == 1
    said = desk.cutover("import", path, "--correct", "--json")
    assert said.code == 0, said.err
    assert said.document["corrected"] == ["N-0001", "N-0002"]
    assert [one["ref"] for one in said.document["begun_anew"]] == ["N-0001"]
    assert (desk.at().code_method, desk.at().status) == ("VOICE", Status.READY)
    assert desk.cutover("run").code == 0


def test_a_number_that_is_being_moved_keeps_its_ids(operator: Make) -> None:
    desk = operator(kinds=["healthy"] * 2)
    numbers = desk.rig.sandbox.manifest("http://sandbox")["numbers"]
    desk.taken_in()
    from tests.harness.in_process import write_inventory

    path = desk.rig.folder / "other.csv"
    row = dict(numbers[0]) | {"phone_number_id": numbers[1]["phone_number_id"]}
    write_inventory(path, [row], {})
    rows = everything(desk)
    said = desk.cutover("import", str(path), "--correct")
    assert said.code == 1
    assert everything(desk) == rows
