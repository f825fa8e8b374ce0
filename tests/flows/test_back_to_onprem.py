"""The flow back-to-onprem: its confirmation, refusals and messages, and the side of the number afterwards."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.objects import State, StateType

from flows.back_to_onprem import back_to_onprem, confirmation_problem, final_state
from flows.migrate_number import migrate_number
from migration.demo.partner_files import write_home
from migration.fleet.importing import import_fleet
from migration.steps.outcomes import Advanced
from migration.vault.private_file import write_private
from migration.vault.sealing import new_master_key
from state.enums import Side, Status
from tests.flows.marks import FLOWS_IN_THIS_PROCESS
from tests.harness.flow_environment import FlowEnvironment
from tests.harness.prefect_stack import name_start_command

pytestmark = [pytest.mark.slow, *FLOWS_IN_THIS_PROCESS]

FIRST = "N-0001"
# Verified and without a usable backup: its client is stopped first, and then Cloud demands another code.
STOPPED = """
world: open
switches: {dark_verified_registers: "no"}
numbers:
  - {kind: no_backup, verified: true}
"""


async def migrate_first_number(environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch, *fleet: str) -> None:
    """Run migrate-number for N-0001; a named command can start its client again."""
    stack = environment.stack
    await stack.start_sandbox(*fleet)
    monkeypatch.setenv("CUTOVER_GRAPH_URL", stack.graph_url)
    inventory = write_home(stack.home, stack.manifest, "")
    name_start_command(stack.home / "cutover.toml", inventory, environment.sandbox_url)
    shutil.copy(environment.template, stack.home / "cutover.db")
    write_private(stack.settings.key_path, new_master_key().get_secret_value())
    async with environment.app() as app:
        await import_fleet(app, inventory, "tester", lambda done, of: None)
    await migrate_number(FIRST, return_state=True)


async def roll_back(**parameters: Any) -> State[Any]:
    state: State[Any] = await back_to_onprem(FIRST, return_state=True, **parameters)
    return state


async def test_a_number_returns_to_on_premises(
    environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its client was stopped and Cloud does not serve it yet: the On-Premises registration is still valid."""
    (tmp_path / "fleet.yaml").write_text(STOPPED)
    await migrate_first_number(environment, monkeypatch, "--scenario", str(tmp_path / "fleet.yaml"))
    assert [number["side"] for number in await environment.sandbox_numbers()] == ["neither"]
    async with environment.app() as app:
        await app.ledger.field_facts.record("onprem_registration", "open", "tried with one number", "tester")
    state = await roll_back(confirm=FIRST)
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed"), state.message
    assert [number["side"] for number in await environment.sandbox_numbers()] == ["on_premises"]
    [position] = await environment.positions()
    assert (position.side, position.status) == (Side.ON_PREMISES, Status.DONE)

    second = await roll_back(confirm=FIRST)
    assert second.type is StateType.FAILED
    assert "back on On-Premises already" in str(second.message)


class EndedNumber:
    """An ended number, with the attributes that `final_state` reads."""

    ref, side, ended_at = FIRST, Side.CLOUD, datetime(2026, 11, 23, tzinfo=UTC)

    def __init__(self, itinerary: str) -> None:
        self.itinerary = itinerary


async def test_a_number_that_was_recovered_on_cloud_has_not_returned() -> None:
    outcome = Advanced("restore_profile", ended=True)
    state = final_state(EndedNumber("FORWARD_RECOVERY"), outcome)
    assert (state.type, state.name) == (StateType.FAILED, "NotBack")
    assert state.message == "N-0001 could not go back; it ended on cloud by FORWARD_RECOVERY"
    assert final_state(EndedNumber("BACK_TO_ONPREM"), outcome).name == "Completed"


@pytest.mark.parametrize(
    ("confirm", "message"),
    [("", "type N-0001 once more into Confirm; nothing was changed"), ("N-0002", "Confirm says N-0002")],
)
async def test_a_wrong_confirmation_changes_nothing(environment: FlowEnvironment, confirm: str, message: str) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    state = await roll_back(confirm=confirm)
    assert state.type is StateType.FAILED
    assert message in (state.message or "")
    assert await environment.sandbox_writes() == []


async def test_a_closed_rollback_is_refused_and_reported_by_a_dry_run(
    environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_first_number(environment, monkeypatch, "--numbers", "1")
    assert [number["side"] for number in await environment.sandbox_numbers()] == ["cloud"]
    before = await environment.sandbox_writes()
    dry_run = await roll_back(dry_run=True)
    assert (dry_run.type, dry_run.name) == (StateType.COMPLETED, "DryRun")
    assert str(dry_run.message).startswith("N-0001: the way back is closed: ")
    state = await roll_back(confirm=FIRST)
    assert state.type is StateType.FAILED
    assert "stays there; nothing was changed" in str(state.message)
    assert await environment.sandbox_writes() == before


async def test_an_unknown_number_fails_with_one_line_and_changes_nothing(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    rows = environment.database_dump()
    state: State[Any] = await back_to_onprem("N-9999", confirm="N-9999", return_state=True)
    assert state.type is StateType.FAILED
    [line] = str(state.message).splitlines()
    assert "there is no such number" in line
    assert (environment.database_dump(), await environment.sandbox_writes()) == (rows, [])
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)  # type: ignore[arg-type]
    assert run.name == "back to On-Premises N-9999"


async def test_only_the_reference_itself_confirms() -> None:
    assert confirmation_problem(FIRST, FIRST) is None
    assert all(confirmation_problem(FIRST, typed) for typed in ("", "N-0010", "n-0001", "N-0001 "))
