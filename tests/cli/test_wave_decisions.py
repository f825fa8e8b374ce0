"""Who decided what about a wave stands in its history, and only what was released crosses."""

import json
from typing import Any

import pytest

from state.enums import Side, SmokeMode, WaveState
from state.ledger.wave_events import HALT_RULE
from state.proof import mode_of
from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator


def events(operator: Operator, wave: str = "north") -> list[tuple[str, str, str | None]]:
    rows = operator.with_app(lambda app: app.queries.waves.events(wave))
    return [(row.kind, row.by, row.because) for row in rows]


def wave_document(operator: Operator) -> dict[str, Any]:
    document = json.loads(operator.cutover("status", "--json").stdout.splitlines()[-1])
    return dict(document["waves"][0])


def registered(operator: Operator, *refs: str) -> list[str]:
    """Which of the numbers the sandbox has on Cloud."""
    return [ref for ref in refs if "register" in " ".join(operator.calls(ref))]


def test_every_decision_about_a_wave_has_a_name_and_a_reason(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    verbs = [
        ("plan", "north"),
        ("plan", "north", "--concurrency", "4"),
        ("plan", "north", "--to", "2025-09-02 02:00"),
        ("hold", "north", "--because", "the customer asked"),
        ("plan", "north", "--to", "2025-09-02 03:00"),
        ("release", "north", "--only", "N-0001"),
        ("stop", "north", "--because", "over", "--confirm", "north"),
    ]
    for verb in verbs:
        operator.env["CUTOVER_OPERATOR"] = f"person of {verb[0]}"
        assert operator.cutover(*verb, "--dry-run").exit_code == 0
        assert operator.cutover(*verb).exit_code == 0
    assert events(operator) == [
        ("planned", "person of plan", None),
        ("replanned", "person of plan", None),
        ("replanned", "person of plan", None),
        ("held", "person of hold", "the customer asked"),
        ("window_changed", "person of plan", None),
        ("released", "person of release", None),
        ("continued", "person of release", None),
        ("stopped", "person of stop", "over"),
    ]
    changed = operator.with_app(lambda app: app.queries.waves.events("north"))[1].facts
    assert (changed["concurrency"], changed["was"]) == (4, {"concurrency": 10})


def test_a_begun_and_a_done_wave_have_events_and_a_number_shows_them(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers(wave="north")
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 0
    assert [(kind, by) for kind, by, _ in events(operator)] == [
        ("planned", "tester"),
        ("begun", "tester"),
        ("done", "cutover"),
    ]
    shown = json.loads(operator.cutover("show", "N-0001", "--json").stdout.splitlines()[-1])
    assert [event["by"] for event in shown["wave_events"]] == ["tester", "tester", "cutover"]
    assert "begun by tester" in operator.cutover("show", "N-0001").stdout
    assert "begun by tester" in operator.cutover("status", "north").stdout
    assert [event["kind"] for event in wave_document(operator)["events"]] == ["planned", "begun", "done"]


def test_an_automatic_halt_names_the_halt_rule(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("plan", "north", "--halt-count", "1")
    operator.change_at_meta("banned", True)
    operator.cutover("run", "north", "--concurrency", "1", "--patience", "0")
    assert operator.with_app(lambda app: app.queries.waves.get("north")).state is WaveState.HALTED
    assert events(operator)[-1] == ("halted", HALT_RULE, "1 number failed; the halt rule allows 0")


def test_a_canary_set_on_a_wave_of_the_inventory_lets_nothing_cross_before_a_release(
    make_operator: MakeOperator,
) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers(wave="north")
    planned = operator.cutover("plan", "north", "--canary", "1")
    assert planned.exit_code == 0, planned.stderr
    assert "canary N-0001, released for none" in planned.stdout
    assert wave_document(operator)["canary"] == ["N-0001"]
    assert operator.cutover("run", "north", "--patience", "0").exit_code == 3
    assert registered(operator, "N-0001", "N-0002", "N-0003") == []
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003") == ["N-0001"]


def test_a_larger_canary_waits_for_a_release_again(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    operator.cutover("release", "north", "--canary")
    assert "released for none" in operator.cutover("plan", "north", "--canary", "2").stdout
    assert "released for none" in operator.cutover("plan", "north", "--concurrency", "2").stdout


def test_the_canary_is_of_the_lowest_volume(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 4)
    path = operator.harness.inventory(wave="north")
    head, *rows = path.read_text().splitlines()
    volumes = ["", "900", "20", "500"]
    lines = [f"{row},{volume}" for row, volume in zip(rows, volumes, strict=True)]
    path.write_text("\n".join([f"{head},daily_volume", *lines]))
    assert operator.cutover("import", str(path)).exit_code == 0
    operator.cutover("plan", "north", "--canary", "2")
    assert wave_document(operator)["canary"] == ["N-0003", "N-0004"]
    due = operator.with_app(lambda app: app.queries.due.due_now())
    board = {row.migration_id: row.ref for row in operator.with_app(lambda app: app.queries.positions.board())}
    assert [board[one] for one in due] == ["N-0003", "N-0004", "N-0002", "N-0001"]


def test_a_release_can_be_narrowed_again(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    assert operator.cutover("release", "north", "--all").exit_code == 0
    assert operator.cutover("release", "north", "--canary").exit_code == 0
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003") == ["N-0001"]
    assert operator.cutover("release", "north").exit_code == 0
    assert operator.cutover("release", "north", "--only", "N-0003").exit_code == 0
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003") == ["N-0001", "N-0003"]
    assert operator.position("N-0002").side is not Side.CLOUD


def test_a_release_that_names_numbers_leaves_the_canary_what_it_was(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 4)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1", "--smoke-canary", "inbound")
    released = operator.cutover("release", "north", "--only", "N-0003")
    assert "canary N-0001, released for N-0003 by name" in released.stdout
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003", "N-0004") == ["N-0003"]
    wave = wave_document(operator)
    assert (wave["canary"], wave["released"], wave["released_by_name"]) == (["N-0001"], "none", ["N-0003"])
    assert mode_of(operator.position("N-0003")) is SmokeMode.OUTBOUND

    # A release of the canary is of the canary, and of nothing that was named before.
    assert operator.cutover("release", "north", "--only", "N-0002").exit_code == 0
    released = operator.cutover("release", "north", "--canary", "--json")
    assert released.exit_code == 0
    assert events(operator)[-1][0] == "released"
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003", "N-0004") == ["N-0001", "N-0003"]
    assert mode_of(operator.position("N-0001")) is SmokeMode.INBOUND
    assert "released for canary already" in operator.cutover("release", "north", "--canary").error_line


def test_what_is_released_anew_of_a_planned_wave_ends_what_was_released_by_name(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    for changed, left in (
        (("--concurrency", "2"), ["N-0003"]),
        (("--canary", "2"), []),
        (("--released", "none"), []),
    ):
        operator.cutover("release", "north", "--only", "N-0003")
        assert operator.cutover("plan", "north", *changed).exit_code == 0
        assert wave_document(operator)["released_by_name"] == left, changed


def test_a_number_that_leaves_its_wave_is_neither_its_canary_nor_released(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    operator.cutover("release", "north", "--only", "N-0002")
    for ref in ("N-0001", "N-0002"):
        assert operator.cutover("move", ref, "--to", "south", "--new", "--because", "later").exit_code == 0
    wave = wave_document(operator)
    assert (wave["canary"], wave["released_by_name"], wave["released"]) == ([], [], "none")
    assert "released by name" not in operator.cutover("show", "N-0002").stdout
    assert "next: cutover release north\n" in operator.cutover("status", "north").stdout, "there is no canary to name"
    operator.cutover("run", "north", "--patience", "0")
    number = json.loads(operator.cutover("status", "--json").stdout.splitlines()[-1])["numbers"][2]
    assert number["next_command"] == "cutover release north"


def test_a_held_wave_goes_on_with_what_was_released_by_name(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    operator.cutover("release", "north", "--only", "N-0003")
    held = operator.cutover("hold", "north", "--because", "storm")
    command = "cutover release north --only N-0003"
    assert command in held.stdout
    assert operator.cutover(*command.split()[1:]).exit_code == 0
    operator.cutover("run", "north", "--patience", "0")
    assert registered(operator, "N-0001", "N-0002", "N-0003") == ["N-0003"]


@pytest.mark.parametrize("end", ["abort", "resolve", "move"])
@pytest.mark.parametrize("state", ["running", "held"])
def test_a_wave_whose_last_number_a_person_ends_is_done(make_operator: MakeOperator, state: str, end: str) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("plan", "north", "--canary", "1")
    operator.cutover("run", "north", "--patience", "0")
    if state == "held":
        operator.cutover("hold", "north", "--because", "storm")
    assert operator.cutover("abort", "N-0001", "--because", "it stays", "--confirm", "N-0001").exit_code == 0
    assert wave_document(operator)["state"] == state
    how = {"resolve": ("--dispose", "churned", "--confirm", "N-0002"), "abort": ("--confirm", "N-0002")}
    last = operator.cutover(end, "N-0002", *how.get(end, ("--out",)), "--because", "it stays")
    assert last.exit_code == 0, last.stderr
    assert wave_document(operator)["state"] == "done"
    assert "next: cutover" not in operator.cutover("status", "north").stdout


def test_a_held_wave_says_that_its_hold_wins_over_its_release(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("plan", "north")
    held = operator.cutover("hold", "north").stdout
    assert "nothing crosses while it is held (released for all when it goes on)" in held
    assert "nothing crosses while it is held" in operator.cutover("status").stdout
