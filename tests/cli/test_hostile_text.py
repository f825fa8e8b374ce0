"""Whatever stands in our database or comes from a far side: no screen shows it as a line or a link of ours."""

import unicodedata
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, String, Table, Text, update

from migration.app import App
from state.models import Base
from state.triggers import without_triggers
from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CommandOutput
from tests.harness.operator import Operator

FORGED = "N-0009 done"
HOSTILE = (
    f"x\x1b[2J\x1b[31m\n{FORGED}\r{FORGED}\u2028{FORGED}\x85{FORGED}\v{FORGED}"
    f"{' ' * 200}{FORGED}\u202e\x9b2J [bold][/] [a](http://evil.test) :warning: \x07"
)
# Columns that decide what is done, or that a constraint holds.
DECIDES = {
    "id", "ref", "e164", "phone_number_id", "waba_id", "app_id", "owner", "key_id", "side", "side_before", "state",
    "status", "released", "itinerary", "forced_itinerary", "next_step", "step", "runbook", "traffic", "code_method",
    "language", "storage_region", "smoke_to", "pin_provenance", "disposition", "waiting_on", "outside_failure",
    "served_on", "route", "time_zone", "ended", "kind", "event", "call", "hash", "previous", "home_id", "epoch_mark",
    "base_url", "username", "hook", "certificate", "stop_command", "start_command", "shelf_file", "key", "by_key",
    "command_arguments", "intent", "lease_holder", "holder", "profile", "idempotency_key", "source", "value",
    "codes", "smoke", "smoke_canary",
}  # fmt: skip
VERBS = (
    ("status",),
    ("status", "--show-numbers"),
    ("status", "first"),
    ("show", "N-0001"),
    ("show", "N-0001", "--show-numbers"),
    ("preflight",),
    ("runbook", "number-dark", "--number", "N-0001"),
    ("run", "N-0001", "--dry-run"),
    ("sweep",),
    ("hold", "N-0001", "--because", HOSTILE),
    ("abort", "N-0001", "--because", HOSTILE),
)


def shown_columns(table: Table) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.name in DECIDES or column.primary_key or column.foreign_keys:
            continue
        if isinstance(column.type, JSON):
            values[column.name] = {"said": HOSTILE, HOSTILE: HOSTILE}
        elif isinstance(column.type, String | Text) and not column.unique:
            values[column.name] = HOSTILE[: column.type.length]
    return values


# The home believes its own events only under their key.
LEFT_AS_THEY_ARE = ("events", "home", "home_events", "secrets", "findings", "call_budgets", "fleet_anchors")


def _fill_tables(connection: Connection) -> int:
    filled = 0
    with without_triggers(connection):
        for table in Base.metadata.sorted_tables:
            values = shown_columns(table)
            if values and table.name not in LEFT_AS_THEY_ARE:
                connection.execute(update(table).values(**values))
                filled += len(values)
    return filled


def fill_with_hostile_text(operator: Operator) -> int:
    """Returns how many columns were filled."""

    async def write(app: App) -> int:
        async with app.database.begin() as connection:
            return await connection.run_sync(_fill_tables)

    return int(operator.with_app(write))


def assert_harmless(output: CommandOutput) -> None:
    for text in (output.stdout, output.stderr):
        for line in text.split("\n"):
            assert not line.strip().startswith(FORGED), text
            assert " " * 100 + FORGED not in line
            assert [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")] == [], repr(line)


@pytest.mark.parametrize("as_json", [False, True])
def test_no_verb_prints_hostile_text_as_it_is(make_operator: MakeOperator, as_json: bool) -> None:
    operator = make_operator(kinds=["healthy", "no_backup"])
    operator.import_numbers(wave="first")
    operator.advance_to("pause_sends")
    assert fill_with_hostile_text(operator) > 8
    for verb in VERBS:
        output = operator.cutover(*verb, *(["--json"] if as_json else []))
        assert "Traceback" not in output.stderr, output.stderr
        assert_harmless(output)


def test_an_inventory_with_control_characters_is_refused_without_showing_them(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"])
    file = operator.harness.inventory(customer=HOSTILE[:190], tags=HOSTILE, instance=HOSTILE[:190])
    output = operator.cutover("import", str(file))
    assert (output.exit_code, output.stderr.count("has a character in it that nobody can see")) == (1, 3)
    assert_harmless(output)
