"""One number's trouble in an import or a preflight is named with its cause, and is no other number's."""

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, update

from migration.app import App
from state.models import InstanceTable
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
