"""Many numbers at once: moved between waves, held, released, aborted and looked at again."""

import csv
import json
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from migration.app import App
from migration.operations.waves import begin_wave
from state.enums import Side, Status, WaveState
from state.rows import WaveEventRow
from tests.cli.side_effects import MakeOperator, everything, sent
from tests.harness.operator import Operator


def refs_of(operator: Operator, wave: str) -> list[str]:
    return [row.ref for row in operator.with_app(lambda app: app.queries.positions.board(wave=wave))]


def kinds(operator: Operator, ref: str) -> list[str]:
    position = operator.position(ref)
    events = operator.with_app(lambda app: app.queries.records.events(position.migration_id))
    return [event.kind for event in events]


def three(make_operator: MakeOperator, **columns: str) -> Operator:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers(**columns)
    return operator


async def register_calls(app: App, phone_number_id: str) -> int:
    return (await app.queries.gate.budget_spent(phone_number_id, "register"))[0]


def last_event(operator: Operator, wave: str) -> WaveEventRow:
    return operator.with_app(lambda app: app.queries.waves.events(wave))[-1]


def fleet(operator: Operator) -> dict[str, Any]:
    """Every row but the counters, which a refused correction may have taken ids from."""
    return {table: rows for table, rows in everything(operator).items() if table != "counters"}


def last_json(output: Any) -> dict[str, Any]:
    return dict(json.loads(output.stdout.splitlines()[-1]))


def change_cells(operator: Operator, ref_to_cells: dict[int, dict[str, str]], **columns: str) -> Path:
    path = operator.harness.inventory(**columns)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for place, cells in ref_to_cells.items():
        rows[place] |= cells
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_numbers_move_to_another_wave_and_both_histories_say_so(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    dry = operator.cutover("move", "N-0001", "--to", "south", "--new", "--because", "x", "--dry-run")
    assert (dry.exit_code, refs_of(operator, "north")) == (0, ["N-0001", "N-0002", "N-0003"])
    assert operator.cutover("move", "N-0001", "--to", "south", "--because", "x").exit_code == 10
    moved = operator.cutover("move", "N-0001", "N-0002", "--to", "south", "--new", "--because", "the night")
    assert moved.exit_code == 0, moved.stderr
    assert (refs_of(operator, "north"), refs_of(operator, "south")) == (["N-0003"], ["N-0001", "N-0002"])
    assert kinds(operator, "N-0001")[-1] == "wave_changed"
    left, joined = last_event(operator, "north"), last_event(operator, "south")
    assert (left.kind, left.by, left.because, left.facts) == (
        "numbers_left",
        "tester",
        "the night",
        {"numbers": ["N-0001", "N-0002"]},
    )
    assert (joined.kind, joined.facts) == ("numbers_joined", {"numbers": ["N-0001", "N-0002"]})


def test_a_number_that_leaves_a_begun_wave_does_not_cross_by_it(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    operator.cutover("plan", "north", "--released", "none")
    operator.cutover("run", "north", "--patience", "0")
    assert operator.position().status is Status.HELD
    assert operator.cutover("move", "N-0001", "--out", "--because", "another day").exit_code == 0
    operator.cutover("sweep", "--patience", "0")
    position = operator.position()
    assert (position.wave, position.hold, position.side) == (None, True, Side.ON_PREMISES)
    assert "register" not in operator.calls()


def test_a_move_is_all_or_nothing(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    operator.cutover("plan", "south", "--limit", "1")
    operator.run_number("N-0002")
    rows = everything(operator)
    for numbers, exit_code, message in (
        (("N-0003", "N-0002"), 1, "N-0002 is done; nothing was changed"),
        (("N-0003", "N-0001"), 1, "N-0001 is in wave south already; nothing was changed"),
        (("N-0003", "N-0099"), 10, "1 of 2 numbers not found; nothing was changed"),
    ):
        output = operator.cutover("move", *numbers, "--to", "south", "--because", "x")
        assert (output.exit_code, output.stderr.splitlines()[-1].removeprefix("cutover: ")) == (exit_code, message)
        assert everything(operator) == rows


def test_a_moved_number_of_a_canary_is_not_in_the_next_one(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    operator.cutover("plan", "north", "--limit", "1", "--canary", "1")
    operator.cutover("plan", "south", "--canary", "1")
    operator.cutover("release", "south", "--canary")
    assert operator.cutover("move", "N-0001", "--to", "south", "--because", "x").exit_code == 0
    operator.cutover("run", "south", "--patience", "0")
    assert "register" not in operator.calls("N-0001")
    assert "register" in operator.calls("N-0002")


def test_hold_and_release_take_a_list_a_file_and_a_wave(make_operator: MakeOperator, tmp_path: Path) -> None:
    operator = three(make_operator, wave="north")
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("# the first\nN-0001\n\nN-0002,later\n")
    assert operator.cutover("hold", "--file", str(numbers), "--because", "x", "--dry-run").exit_code == 0
    assert not operator.position().hold
    assert operator.cutover("hold", "--file", str(numbers), "--because", "x").exit_code == 0
    output = operator.cutover("hold", "N-0002", "N-0003", "--json")
    document = last_json(output)
    assert output.exit_code == 3
    assert [(row["ref"], row["changed"], row["not_changed_because"]) for row in document["numbers"]] == [
        ("N-0002", False, "N-0002 is on hold already"),
        ("N-0003", True, None),
    ]
    assert [operator.position(ref).hold for ref in ("N-0001", "N-0002", "N-0003")] == [True] * 3
    assert operator.cutover("release", "--file", "-", typed="N-0003\n").exit_code == 0
    assert operator.cutover("release", "--wave", "north").exit_code == 0
    assert [operator.position(ref).hold for ref in ("N-0001", "N-0002", "N-0003")] == [False] * 3
    assert operator.with_app(lambda app: app.queries.waves.get("north")).state is WaveState.PLANNED
    assert operator.cutover("hold", "--wave", "nowhere").exit_code == 10
    assert operator.cutover("release", "--wave", "north").exit_code == 2  # none is on hold


def test_a_wave_is_aborted_number_by_number_with_confirmation(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    operator.cutover("release", "north", "--only", "N-0002")
    operator.cutover("run", "north", "--patience", "0")
    rows, calls = everything(operator), sent(operator)
    abort = ("abort", "--wave", "north", "--because", "another partner")
    assert operator.cutover(*abort).exit_code == 2
    assert operator.cutover(*abort, "--confirm", "south").exit_code == 2
    assert operator.cutover(*abort, "--dry-run").exit_code == 0
    assert (everything(operator), sent(operator)) == (rows, calls)
    assert operator.cutover(*abort, "--confirm", "north").exit_code == 0
    ends = [operator.position(ref).status for ref in ("N-0001", "N-0002", "N-0003")]
    assert ends == [Status.ABORTED, Status.DONE, Status.ABORTED]
    listed = operator.cutover("abort", "N-0001", "N-0003", "--because", "x", "--confirm", "2", "--json")
    assert (listed.exit_code, [row["changed"] for row in last_json(listed)["numbers"]]) == (3, [False, False])


def test_all_blocked_numbers_are_looked_at_again(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    for ref in ("N-0001", "N-0002"):
        operator.change_at_meta("banned", True, ref)
        assert operator.run_number(ref).status is Status.BLOCKED
    again = ("resolve", "--look-again", "--blocked", "--because", "unbanned")
    assert operator.cutover(*again).exit_code == 0
    assert [operator.position(ref).status for ref in ("N-0001", "N-0002", "N-0003")] == [Status.READY] * 3
    assert kinds(operator, "N-0001")[-1] == "resolved"
    assert "resolved" not in kinds(operator, "N-0003")
    assert operator.cutover("resolve", "--onprem-off", "--blocked", "--because", "x").exit_code == 2


@pytest.mark.parametrize("verb", ["hold", "release"])
def test_a_bulk_verb_without_numbers_is_a_usage_error(make_operator: MakeOperator, verb: str) -> None:
    operator = three(make_operator)
    assert operator.cutover(verb).exit_code == 2
    assert operator.cutover(verb, "N-0001", "--wave", "north").exit_code == 2


def test_a_corrected_inventory_moves_numbers_between_waves(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    path = change_cells(operator, {0: {"wave": "south"}, 1: {"wave": ""}}, wave="north")
    output = operator.cutover("import", str(path), "--correct")
    assert output.exit_code == 0, output.stderr
    assert (refs_of(operator, "south"), refs_of(operator, "north")) == (["N-0001"], ["N-0003"])
    assert kinds(operator, "N-0002")[-1] == "wave_changed"
    operator.cutover("move", "N-0001", "--to", "north", "--because", "back")
    assert operator.cutover("import", str(path), "--correct").exit_code == 0
    assert refs_of(operator, "north") == ["N-0001", "N-0003"]  # the file says nothing new about its wave


def test_a_correction_names_what_a_person_has_to_let_go_on_and_nothing_else(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    path = str(change_cells(operator, {}))
    assert "--look-again" not in operator.cutover("import", path, "--correct").stdout
    operator.change_at_meta("banned", True, "N-0002")
    assert operator.run_number("N-0002").status is Status.BLOCKED
    output = operator.cutover("import", path, "--correct").stdout
    assert "1 number blocked: N-0002. Next: `cutover resolve N-0002 --look-again --because TEXT`." in output


def test_a_correction_of_a_moved_or_begun_wave_is_refused_with_its_line(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    operator.with_app(lambda app: begin_wave(app, "north"))
    assert operator.advance_to("confirm").crossed_at is not None
    rows = fleet(operator)
    output = operator.cutover("import", str(change_cells(operator, {0: {"wave": "south"}}, wave="north")), "--correct")
    assert (output.exit_code, fleet(operator)) == (1, rows)
    assert "line 2: N-0001 has crossed" in output.stderr
    output = operator.cutover("import", str(change_cells(operator, {1: {"wave": "north"}}, wave="")), "--correct")
    assert (output.exit_code, fleet(operator)) == (1, rows)


def test_a_correction_takes_itinerary_and_earlier_calls(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    path = change_cells(operator, {0: {"itinerary": "CODE_FIRST", "register_calls_72h": "4"}})
    for _ in range(2):
        output = operator.cutover("import", str(path), "--correct")
        assert output.exit_code == 0, output.stderr
        position = operator.position()
        spent = operator.with_app(partial(register_calls, phone_number_id=position.phone_number_id))
        assert (position.itinerary, spent) == ("CODE_FIRST", 4)


def test_a_correction_that_cannot_force_its_itinerary_writes_nothing(make_operator: MakeOperator) -> None:
    """Its rows would say so already, and the same file would not force it a second time."""
    operator = three(make_operator)
    changes = {"itinerary": "CODE_FIRST", "tags": "new"}
    path = change_cells(operator, {0: changes, 1: changes})

    async def hold_second(app: App) -> None:
        position = await app.queries.positions.find("N-0002")
        await app.ledger.leases.acquire(position.migration_id, "worker-9", timedelta(seconds=45))

    operator.with_app(hold_second)
    rows = fleet(operator)
    output = operator.cutover("import", str(path), "--correct")
    assert (output.exit_code, fleet(operator)) == (11, rows)
    operator.harness.clock.advance(60)
    assert operator.cutover("import", str(path), "--correct").exit_code == 0
    assert [operator.position(ref).itinerary for ref in ("N-0001", "N-0002", "N-0003")] == [
        "CODE_FIRST",
        "CODE_FIRST",
        "WITH_BACKUP",
    ]


def test_a_dry_run_names_no_command_that_moves_the_number(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    for verb in (
        ("abort", "N-0001", "--because", "x"),
        ("resolve", "N-0001", "--switch", "CODE_AFTER", "--because", "x"),
        ("hold", "north"),
        ("plan", "south", "--limit", "1"),
        ("stop", "north", "--because", "x"),
    ):
        output = operator.cutover(*verb, "--dry-run")
        (forecast,) = [line for line in output.stdout.splitlines() if line.startswith("next")] or [""]
        assert "cutover run" not in forecast
        if verb[0] != "plan":
            assert "the same command with" in forecast, output.stdout
    assert "the same command with --confirm N-0001" in operator.cutover("abort", "N-0001", "--because", "x").stdout


def test_what_a_dry_run_shows_of_the_number_comes_true(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    fields = ("status", "next_step", "itinerary", "side", "hold", "may_cross", "reason")
    for verb in (
        ("hold", "N-0001"),
        ("release", "N-0001"),
        ("resolve", "N-0002", "--switch", "CODE_AFTER", "--because", "x"),
        ("abort", "N-0003", "--because", "x", "--confirm", "N-0003"),
    ):
        forecast = last_json(operator.cutover(*verb, "--dry-run", "--json"))["then"]
        after = last_json(operator.cutover(*verb, "--json"))["after"]
        assert "the same command with" in forecast["next_command"], verb
        assert [forecast[name] for name in fields] == [after[name] for name in fields], verb
    bulk = ("abort", "--wave", "north", "--because", "x", "--dry-run", "--json")
    for number in last_json(operator.cutover(*bulk))["numbers"]:
        assert (number["status"], "cutover run" in number["next_command"]) == ("aborted", False)


def test_a_released_number_loses_the_reason_of_its_hold(make_operator: MakeOperator) -> None:
    operator = three(make_operator)
    operator.cutover("hold", "N-0001", "--because", "later")
    operator.cutover("run", "N-0001", "--patience", "0")
    held = operator.position()
    assert (held.status, held.reason is None) == (Status.HELD, False)
    operator.cutover("release", "N-0001")
    assert (operator.position().status, operator.position().reason) == (Status.READY, None)


def test_a_correction_without_the_column_leaves_every_number_in_its_wave(make_operator: MakeOperator) -> None:
    operator = three(make_operator, wave="north")
    path = operator.harness.inventory()
    assert "wave" not in path.read_text().splitlines()[0].split(",")
    output = operator.cutover("import", str(path), "--correct")
    assert output.exit_code == 0, output.stderr
    assert refs_of(operator, "north") == ["N-0001", "N-0002", "N-0003"]


@pytest.mark.parametrize("line", ["N-0001,Acme", "N-0001;Acme", "N-0001\tAcme", '"N-0001";"Acme"', "  N-0001  # first"])
def test_a_file_of_numbers_may_be_as_spreadsheets_save_it(
    make_operator: MakeOperator, tmp_path: Path, line: str
) -> None:
    operator = three(make_operator)
    path = tmp_path / "numbers.csv"
    path.write_text(f"{line}\n\n# N-0002\nN-0003\n")
    output = operator.cutover("hold", "--file", str(path))
    assert output.exit_code == 0, output.stderr
    assert [operator.position(ref).hold for ref in ("N-0001", "N-0002", "N-0003")] == [True, False, True]


# Each column of docs/inventory.md that a correction may change while its number has not crossed, and another value.
CORRECTED = {
    "language": "pt_BR",
    "code_method": "VOICE",
    "storage_region": "DE",
    "smoke_to": "+4915112345678",
    "smoke": "inbound",
    "tags": "blue",
    "daily_volume": "7701",
    "wave": "later",
    "hook": "senders",
    "instance": "renamed",
    "onprem_username": "somebody",
    "terms_accepted_by": "Ana Lima",
    "customer_contact": "the night desk",
    "customer_language": "pt_PT",
    "customer_time_zone": "America/Bogota",
    "customer_hours": "Mon-Fri 07:03-18:00",
    "customer_consent": "Bea Cruz",
}


def test_a_correction_takes_every_column(make_operator: MakeOperator) -> None:
    """Whatever the documentation lists and a row changes is in the record afterwards; a PIN and a password, sealed."""
    operator = make_operator(kinds=["healthy"])
    operator.import_numbers(terms_accepted_by="")
    before = everything(operator)
    cells = CORRECTED | {
        "hook_required": "yes",
        "pin": "846201",
        "onprem_password": "another one",
        "itinerary": "CODE_FIRST",
    }
    more = {"register_calls_72h": "3", "deregister_calls_72h": "2"}
    output = operator.cutover("import", str(change_cells(operator, {0: cells | more})), "--correct")
    assert output.exit_code == 0, output.stderr
    after = everything(operator)
    texts = [{str(value) for rows in dump.values() for row in rows for value in row} for dump in (before, after)]
    assert {name: value for name, value in CORRECTED.items() if value not in texts[1]} == {}
    assert operator.position().itinerary == "CODE_FIRST"
    assert operator.position().hook_required
    assert len(after["budget_calls"]) - len(before["budget_calls"]) == 5
    assert {row[2] for row in after["secrets"] if row not in before["secrets"]} >= {"pin", "password"}
    listed = set(
        re.findall(
            r"^\| `([a-z0-9_]+)` \|", (Path(__file__).parents[2] / "docs/inventory.md").read_text(), re.MULTILINE
        )
    )
    fixed = {"e164", "phone_number_id", "waba_id", "customer", "profile"}  # they say which number it is, and whose
    elsewhere = {
        "onprem_url",
        "onprem_self_signed",
        "onprem_clear_http",
        "onprem_certificate",
        "stop_command",
        "start_command",
    }
    assert listed - fixed - elsewhere - {"command_arguments"} == set(cells) | set(more)
