"""`cutover audit`, `secrets` and `reveal`, as an operator types them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from migration.app import App
from state.ledger.events import digest
from state.models import EventTable
from state.record_key import GENESIS
from tests.cli.side_effects import MakeOperator
from tests.harness.operator import Operator

DROP = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


def tamper(operator: Operator, *statements: str) -> None:
    """As somebody with the file and without a key."""
    path = operator.harness.settings.database.removeprefix("sqlite+aiosqlite:///")
    if path.startswith("postgresql"):
        pytest.skip("tests/unit/state/test_record_check.py does this on both databases")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for (name,) in database.execute(DROP).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)


def moved(make_operator: MakeOperator) -> Operator:
    operator = make_operator(kinds=["healthy", "no_backup"])
    operator.import_numbers()
    operator.run_number("N-0001")
    return operator


def test_an_untouched_record_is_whole_and_can_be_exported(make_operator: MakeOperator, tmp_path: Path) -> None:
    operator = moved(make_operator)
    output = operator.cutover("audit", "verify", "--json")
    assert (output.exit_code, output.document["whole"]) == (0, True)
    file = tmp_path / "record.jsonl"
    assert operator.cutover("audit", "export", str(file)).exit_code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sum(line["table"] == "events" for line in lines) > 10
    assert lines[-1]["table"] == "heads"
    numbers = [number["e164"] for number in operator.harness.sandbox.manifest("http://sandbox")["numbers"]]
    assert not [number for number in numbers if number in file.read_text()]
    assert operator.cutover("audit", "export", str(file)).exit_code == 2
    assert operator.cutover("audit", "export").exit_code == 2


def test_a_cut_is_named_with_its_place_and_fails(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    tamper(operator, "DELETE FROM events WHERE id = (SELECT max(id) FROM events WHERE migration_pk = 1)")
    output = operator.cutover("audit", "verify")
    assert output.exit_code == 1
    assert "N-0001, event " in output.stdout
    assert "append-only are missing" in output.stdout


def test_a_removed_chain_is_found_by_its_anchor(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    head = f"events = 0, events_head = '{'0' * 64}', anchored_events = 0, attempts = 0"
    tamper(
        operator,
        "DELETE FROM budget_calls",
        "DELETE FROM events WHERE migration_pk = 1",
        f"UPDATE number_migrations SET {head} WHERE id = 1",
    )
    output = operator.cutover("audit", "verify")
    assert output.exit_code == 1
    assert "N-0001: the whole chain is gone" in output.stdout


def test_an_epoch_that_nobody_began_does_not_hide_a_cut(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    last = "(SELECT max(seq) FROM events WHERE migration_pk = 1)"
    fit = f"events = {last}, events_head = (SELECT hash FROM events WHERE migration_pk = 1 AND seq = {last})"
    cut = f"DELETE FROM events WHERE migration_pk = 1 AND seq = {last}"
    tamper(
        operator, cut, f"UPDATE number_migrations SET {fit} WHERE id = 1", "UPDATE home SET epoch = 1, record_epoch = 1"
    )
    assert "nothing in its events began epoch 1" in operator.cutover("audit", "verify").stdout
    tamper(operator, "UPDATE home SET epoch = 2")
    operator.cutover("sweep")
    output = operator.cutover("audit", "verify")
    assert "note: migration 1: " in output.stdout


def test_a_chain_that_was_written_anew_does_not_hide_behind_an_epoch(make_operator: MakeOperator) -> None:
    """With plain hashes, as somebody without the key can: the next sweep takes over what it finds."""
    operator = moved(make_operator)
    rows, previous, statements = operator.with_app(_chain_of_first), GENESIS, list[str]()
    for row in rows:
        facts = row["facts"] | ({"by": "nobody"} if row["seq"] == 2 else {})
        link = digest(None, previous, 1, row["seq"], row["at"], row["kind"], facts)
        new = f"facts = '{json.dumps(facts).replace(chr(39), chr(39) * 2)}', previous = '{previous}', hash = '{link}'"
        statements.append(f"UPDATE events SET {new} WHERE migration_pk = 1 AND seq = {row['seq']}")
        previous = link
    head = f"UPDATE number_migrations SET events_head = '{previous}' WHERE id = 1"
    tamper(operator, *statements, head, "UPDATE home SET epoch = epoch + 1, epoch_mark = '0badc0de'")
    operator.cutover("sweep")
    output = operator.cutover("audit", "verify")
    assert output.exit_code == 1
    assert "another one came into epoch 1 than was anchored before it" in output.stdout


async def _chain_of_first(app: App) -> list[dict[str, Any]]:
    query = select(EventTable.__table__).where(EventTable.migration_pk == 1).order_by(EventTable.seq)
    async with app.database.connect() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


def test_anchors_that_are_gone_are_missed(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    (operator.harness.folder / "record-anchors.jsonl").unlink()
    output = operator.cutover("audit", "verify", "--json")
    assert (output.exit_code, output.document["whole"]) == (1, False)
    assert "record-anchors.jsonl" in output.document["problems"][0]["place"]


def test_a_rotation_and_a_restore_leave_the_record_whole(make_operator: MakeOperator, tmp_path: Path) -> None:
    operator = moved(make_operator)
    assert operator.cutover("backup", str(tmp_path / "copy")).exit_code == 0
    assert operator.cutover("rotate-key").exit_code == 0
    assert operator.cutover("audit", "verify").exit_code == 0
    operator.run_number("N-0002")
    assert operator.cutover("restore", str(tmp_path / "copy"), "--move-aside").exit_code == 0
    assert operator.cutover("sweep").exit_code in (0, 3)
    output = operator.cutover("audit", "verify")
    assert output.exit_code == 0, output.stdout
    assert "events were anchored before epoch 1" in output.stdout  # those of N-0002


def test_a_pin_is_shown_to_a_named_person_and_recorded(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    pin = operator.harness.sandbox_number(operator.position("N-0001")).pin
    refused = operator.cutover("reveal", "N-0001", "--because", "handed over")
    assert refused.exit_code == 2
    wrong = operator.cutover("reveal", "N-0001", "--because", "handed over", "--confirm", "N-0002")
    assert wrong.exit_code == 2
    output = operator.cutover("reveal", "N-0001", "--because", "handed over", "--confirm", "N-0001")
    assert output.exit_code == 0
    shown = [line for line in output.stdout.splitlines() if line.isdecimal()]
    assert shown == [pin]
    assert shown[0] not in refused.stdout + wrong.stdout
    events = operator.cutover("show", "N-0001", "--json").document["events"]
    assert events[-1]["kind"] == "secret_revealed"
    assert events[-1]["facts"] == {"secret": "PIN", "by": "tester", "reason": "handed over"}
    assert operator.cutover("audit", "verify").exit_code == 0


def test_a_token_is_shown_with_token_and_recorded_for_the_home(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    token = operator.harness.sandbox.manifest("http://sandbox")["token"]
    profiles = operator.cutover("profile", "--json").document["profiles"]
    name = profiles[0]["name"]
    output = operator.cutover("reveal", name, "--token", "--because", "another tool", "--confirm", name)
    assert output.exit_code == 0, output.stderr
    assert token in output.stdout
    assert operator.cutover("audit", "verify").exit_code == 0


def test_what_can_be_opened_is_counted(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    operator.run_number("N-0002")
    groups = operator.cutover("secrets", "--json").document["secrets"]
    counts = {group["kind"]: group["count"] for group in groups}
    assert counts["PIN"] == 2
    assert not {"call under way", "verification code", "earlier PIN"} & set(counts)
    assert all(group["until"] for group in groups if group["kind"] == "backup")
    assert operator.cutover("secrets").exit_code == 0


def test_a_home_that_says_it_was_never_taken_over_is_not_believed(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    forged = "UPDATE events SET kind = 'other' WHERE migration_pk = 1 AND seq = 2"
    tamper(operator, forged, "UPDATE home SET record_epoch = NULL")
    operator.cutover("sweep")
    assert operator.cutover("audit", "verify").exit_code == 1


def test_the_same_backup_restored_twice_leaves_the_record_whole(make_operator: MakeOperator, tmp_path: Path) -> None:
    operator = moved(make_operator)
    assert operator.cutover("backup", str(tmp_path / "copy")).exit_code == 0
    for _ in range(2):
        assert operator.cutover("restore", str(tmp_path / "copy"), "--move-aside").exit_code == 0
        pending = operator.cutover("audit", "verify")
        assert pending.exit_code == 0, pending.stdout
        operator.cutover("sweep")
        output = operator.cutover("audit", "verify")
        assert output.exit_code == 0, output.stdout
        operator.run_number("N-0002")


def test_a_lost_key_begins_a_new_one_and_says_so(make_operator: MakeOperator) -> None:
    operator = moved(make_operator)
    (operator.harness.folder / "master.key").unlink()
    assert operator.cutover("init", "--key-lost").exit_code == 0
    operator.cutover("sweep")
    output = operator.cutover("audit", "verify")
    assert output.exit_code == 0, output.stdout
    assert "a new key of the record began" in output.stdout
