"""The way back, asked for in Prefect's form: what it refuses first, what it says, and where the number is then."""

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
from migration.vault.sealing import new_master_key, write_private
from state.enums import Side, Status
from tests.harness.flow_environment import FlowEnvironment
from tests.harness.prefect_stack import name_start_command

# As in tests/flows: one loop for all, and Prefect leaves some sockets to the garbage collector.
pytestmark = [
    pytest.mark.usefixtures("prefect_test_server", "collect_garbage"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

FIRST = "N-0001"
# Verified and without a usable backup: its client is stopped first, and then Cloud asks for another code.
STOPPED = """
world: open
switches: {dark_verified_registers: "no"}
numbers:
  - {kind: no_backup, verified: true}
"""


async def moved(environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch, *fleet: str) -> None:
    """One number, taken as far as it goes, whose client can be started again by a named command."""
    house = environment.stack
    await house.start_sandbox(*fleet)
    monkeypatch.setenv("CUTOVER_GRAPH_URL", house.graph_url)
    inventory = write_home(house.home, house.manifest, "")
    name_start_command(house.home / "cutover.toml", inventory, environment.sandbox_url)
    shutil.copy(environment.template, house.home / "cutover.db")
    write_private(house.settings.key_path, new_master_key().get_secret_value())
    async with environment.app() as app:
        await import_fleet(app, inventory, "tester", lambda done, of: None)
    await migrate_number(FIRST, return_state=True)


async def back(**asked: Any) -> State[Any]:
    state: State[Any] = await back_to_onprem(FIRST, return_state=True, **asked)
    return state


async def test_a_number_goes_back(
    environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its client was stopped and Cloud does not have it yet: the registration On-Premises is still alive."""
    (tmp_path / "fleet.yaml").write_text(STOPPED)
    await moved(environment, monkeypatch, "--scenario", str(tmp_path / "fleet.yaml"))
    assert [one["side"] for one in await environment.sandbox_numbers()] == ["neither"]
    async with environment.app() as app:
        await app.ledger.field_facts.record("onprem_registration", "open", "tried with one number", "tester")
    state = await back(confirm=FIRST)
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed"), state.message
    assert [one["side"] for one in await environment.sandbox_numbers()] == ["on_premises"]
    [position] = await environment.positions()
    assert (position.side, position.status) == (Side.ON_PREMISES, Status.DONE)

    again = await back(confirm=FIRST)
    assert again.type is StateType.FAILED
    assert "back on On-Premises already" in str(again.message)


class At:
    """A number at its end, as far as the state of a run looks at it."""

    ref, side, ended_at = FIRST, Side.CLOUD, datetime(2026, 11, 23, tzinfo=UTC)

    def __init__(self, itinerary: str) -> None:
        self.itinerary = itinerary


async def test_a_number_that_came_forward_again_has_not_gone_back() -> None:
    outcome = Advanced("restore_profile", ended=True)
    state = final_state(At("FORWARD_RECOVERY"), outcome)
    assert (state.type, state.name) == (StateType.FAILED, "NotBack")
    assert state.message == "N-0001 could not go back; it ended on cloud by FORWARD_RECOVERY"
    assert final_state(At("BACK_TO_ONPREM"), outcome).name == "Completed"


@pytest.mark.parametrize(
    ("confirm", "said"),
    [("", "type N-0001 once more into Confirm; nothing was changed"), ("N-0002", "Confirm says N-0002")],
)
async def test_what_is_not_confirmed_changes_nothing(environment: FlowEnvironment, confirm: str, said: str) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    state = await back(confirm=confirm)
    assert state.type is StateType.FAILED
    assert said in (state.message or "")
    assert await environment.sandbox_writes() == []


async def test_a_closed_way_is_refused_and_a_dry_run_says_so(
    environment: FlowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await moved(environment, monkeypatch, "--numbers", "1")
    assert [one["side"] for one in await environment.sandbox_numbers()] == ["cloud"]
    before = await environment.sandbox_writes()
    told = await back(dry_run=True)
    assert (told.type, told.name) == (StateType.COMPLETED, "DryRun")
    assert str(told.message).startswith("N-0001: the way back is closed: ")
    state = await back(confirm=FIRST)
    assert state.type is StateType.FAILED
    assert "stays there; nothing was changed" in str(state.message)
    assert await environment.sandbox_writes() == before


async def test_a_number_that_nobody_knows_is_one_line_and_changes_nothing(environment: FlowEnvironment) -> None:
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


async def test_only_the_same_reference_confirms() -> None:
    assert confirmation_problem(FIRST, FIRST) is None
    assert all(confirmation_problem(FIRST, typed) for typed in ("", "N-0010", "n-0001", "N-0001 "))
