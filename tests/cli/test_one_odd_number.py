"""One number's trouble in an import or a preflight is named with its cause, and is no other number's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, update

from migration.app import App
from migration.cli.bulk import Selection, change_numbers
from migration.cli.confirming import ChangeReport
from migration.cli.session import OPENER
from state.models import FindingTable, InstanceTable, MigrationTable, SecretTable
from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CliFixture, SandboxProcess


@pytest.fixture
def troubled(sandbox: SandboxProcess, request: pytest.FixtureRequest) -> Iterator[str]:
    """The sandbox with a fault for the first number only; gives its E.164."""
    e164 = str(sandbox.manifest["numbers"][0]["e164"])
    sandbox.control("POST", "faults", {"faults": [{"route": "*", "kind": request.param, "e164": e164, "times": 0}]})
    yield e164
    sandbox.control("DELETE", "faults")


@pytest.mark.parametrize("troubled", ["500", "reset_before", "html", "truncated"], indirect=True)
def test_a_preflight_says_which_number_it_could_not_look_at(cli: CliFixture, troubled: str) -> None:
    output = cli.cutover("preflight", "--json")
    assert output.exit_code == 3
    verdicts = {row["ref"]: row["verdict"] for row in output.document["numbers"]}
    assert sorted(verdict == "could not look" for verdict in verdicts.values()) == [False, True]
    assert output.document["could_not_look"] == 1
    checks = next(row for row in output.document["numbers"] if row["verdict"] == "could not look")["checks"]
    assert {check["runbook"] for check in checks if check["verdict"] == "could not look"} <= {
        "runbooks/far-side-down.md",
        "runbooks/no-backup.md",
    }
    shown = cli.cutover("preflight")
    assert "1 could not be looked at" in shown.stdout
    assert troubled not in shown.stdout


@pytest.mark.parametrize("troubled", ["429"], indirect=True)
def test_a_throttled_answer_concerns_the_numbers_of_its_waba(cli: CliFixture, troubled: str) -> None:
    """More calls would lengthen the wait: what was not read of the others before it cannot be looked at now."""
    output = cli.cutover("preflight", "--json")
    assert output.exit_code == 3
    first, *others = sorted(output.document["numbers"], key=lambda row: row["ref"])
    assert first["verdict"] == "could not look"
    for check in [check for row in others for check in row["checks"] if check["verdict"] == "could not look"]:
        assert "Graph takes no calls for WABA" in check["said"]
    assert troubled not in cli.cutover("preflight").stdout


@pytest.mark.parametrize("troubled", ["500", "reset_before"], indirect=True)
def test_an_import_takes_every_other_number_in(empty_cli: CliFixture, troubled: str) -> None:
    output = empty_cli.cutover("import", empty_cli.inventory(), "--json")
    assert output.exit_code == 0, "the list of the WABA shows it; its instance is what does not answer"
    assert output.document["imported"] == 3


def test_a_sweep_moves_the_others_and_tells_by_its_exit_code_that_one_is_blocked(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    for ref in ("N-0001", "N-0002"):
        operator.advance_to("secure_pin", ref)

    async def spoil(app: App) -> None:
        async with app.database.begin() as connection:
            first = select(func.min(InstanceTable.id)).scalar_subquery()
            address = update(InstanceTable).where(InstanceTable.id == first).values(base_url="https://host:port")
            await connection.execute(address)

    operator.with_app(spoil)
    output = operator.cutover("sweep", "--json")
    assert output.exit_code == 3
    states = sorted((row["status"], row["side"]) for row in output.document["numbers"])
    assert states == [("blocked", "on_premises"), ("done", "cloud")]


def test_a_secret_under_another_key_ends_no_other_number_s_run(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.with_app(
        lambda app: _write(app, update(SecretTable).where(SecretTable.owner == "instance:1"), key_id="0" * 16)
    )
    output = operator.cutover("run", "--json")
    assert [(row["status"], row["side"]) for row in output.document["numbers"]] == [
        ("blocked", "on_premises"),
        ("done", "cloud"),
    ]
    assert "sealed under master key 0000000000000000" in output.document["numbers"][0]["reason"]


def test_an_internal_error_counts_for_the_halt_rule_of_its_wave(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers(wave="north")
    assert operator.cutover("plan", "north", "--halt-count", "1").exit_code == 0
    operator.with_app(
        lambda app: _write(app, update(SecretTable).where(SecretTable.owner == "instance:1"), ciphertext=b"not ours")
    )
    output = operator.cutover("run", "north", "--concurrency", "1", "--json")
    first, *others = output.document["numbers"]
    assert (first["status"], first["runbook"]) == ("blocked", "runbooks/internal-error.md")
    assert {row["side"] for row in others} == {"on_premises"}
    status = operator.cutover("status", "north").stdout
    assert "halted" in status
    assert "1 number failed; the halt rule allows 0" in status


async def _write(app: App, statement: Any, **values: Any) -> None:
    async with app.database.begin() as connection:
        assert (await connection.execute(statement.values(**values))).rowcount


def test_one_number_s_odd_record_keeps_no_other_from_being_compared(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    operator.cutover("run")
    snapshot = update(FindingTable).where(FindingTable.migration_pk == 1, FindingTable.step == "snapshot")
    operator.with_app(lambda app: _write(app, snapshot, facts={"profile": "text"}))
    document = operator.cutover("parity", "--json").document
    assert [row["ref"] for row in document["numbers"]] == ["N-0002"]
    assert [(row["ref"], row["because"].partition(":")[0]) for row in document["not_read"]] == [
        ("N-0001", "internal error in parity")
    ]


def test_a_refused_token_is_tried_once_by_a_comparison(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 3)
    operator.import_numbers()
    operator.cutover("run")
    world = operator.harness.sandbox.world
    for token in world.tokens.values():
        token.revoked = True
    before = sum(call.side == "graph" for call in world.calls)
    output = operator.cutover("parity", "--json")
    assert output.exit_code == 12
    assert [row["ref"] for row in output.document["not_read"]] == ["N-0001", "N-0002", "N-0003"]
    refused = sum(call.side == "graph" for call in world.calls) - before
    assert 1 <= refused <= 2, "the first of its readings, not those of every number"


def test_a_word_that_nobody_knows_makes_no_list_unreadable(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    words = update(MigrationTable).where(MigrationTable.id == 1)
    operator.with_app(lambda app: _write(app, words, waiting_on="martian", served_on="moon"))
    for verb in (("status",), ("show", "N-0001"), ("plan", "north", "N-0001"), ("run", "N-0002")):
        output = operator.cutover(*verb)
        assert "internal error" not in output.stdout + output.stderr
    assert {row["ref"] for row in operator.cutover("status", "--json").document["numbers"]} == {"N-0001", "N-0002"}


def test_one_number_s_secret_keeps_no_other_from_being_read_for_its_callers(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    password = update(SecretTable).where(SecretTable.owner == "instance:1")
    operator.with_app(lambda app: _write(app, password, ciphertext=b"not ours"))
    first, second = operator.cutover("callers", "--sides", "--json").document["numbers"]
    assert "does not open" in first["called"]["on_premises"]["why"]
    assert "first time" in second["called"]["on_premises"]["why"]


def test_one_number_s_surprise_keeps_no_other_from_being_changed(make_operator: MakeOperator) -> None:
    operator = make_operator(kinds=["healthy"] * 2)
    operator.import_numbers()
    changed: list[str] = []

    async def change(_: App, ref: str) -> None:
        if ref == "N-0001":
            raise KeyError("+15550104321")
        changed.append(ref)

    token = OPENER.set(lambda *, dry_run: operator.harness.worker(dry_run=dry_run))
    try:
        report, both = ChangeReport(as_json=True), Selection(("N-0001", "N-0002"))
        exit_code = asyncio.run(change_numbers(report, both, "change", change, lambda _: True))
    finally:
        OPENER.reset(token)
    assert (exit_code, changed) == (3, ["N-0002"])
    assert report.document["numbers"][0]["not_changed_because"] == "internal error in this command: KeyError"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_nobody_expected_is_one_line_without_its_text(
    make_operator: MakeOperator, options: tuple[str, ...]
) -> None:
    operator = make_operator()
    operator.import_numbers()

    @asynccontextmanager
    async def surprise(**_: Any) -> AsyncIterator[App]:
        raise KeyError("a token of Meta")
        yield

    operator.harness.worker = surprise  # type: ignore[method-assign]
    output = operator.cutover("hold", "N-0001", "--because", "x", *options)
    assert output.exit_code == 1
    assert output.stderr.startswith("cutover: internal error: KeyError (")
    assert output.stderr.count("\n") == 1
    assert "token" not in output.stdout + output.stderr
    assert bool(output.stdout) is bool(options)
