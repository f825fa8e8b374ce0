"""A worker that was stopped between its intent and its send wakes too late, and sends nothing."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from migration.app import open_app
from migration.fleet.importing import import_fleet
from migration.settings import Settings
from migration.steps.outcomes import Advanced, Waiting
from migration.vault.sealing import new_master_key
from state.enums import AttemptEnd, Side
from tests.harness.in_process import MakeHarness
from tests.harness.partner_files import ADMIN, write_inventory
from tests.harness.servers import child, line_of, sandbox_server


@pytest.mark.parametrize(
    ("kind", "step", "call"), [("healthy", "register", "register"), ("no_backup", "deregister_onprem", "command.stop")]
)
async def test_an_intent_that_grew_old_is_never_sent(
    make_harness: MakeHarness, kind: str, step: str, call: str
) -> None:
    """Neither a call of Graph nor a command: the client that it would stop may serve again by then."""
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, step)
        commits = harness.crash_point.commits

        def asleep_after_the_intent() -> None:
            # Lease, then intent: the worker is stopped as soon as the intent is on record.
            if harness.crash_point.commits == commits + 2:
                harness.clock.advance(6)

        harness.crash_point.on_commit = asleep_after_the_intent
        assert isinstance(await app.runner.run_step(at.migration_id), Waiting)
        harness.crash_point.on_commit = None
        assert call not in harness.mutations(at)
        attempts = await app.queries.records.attempts(at.migration_id)
        assert attempts[-1]["ended"] == AttemptEnd.NEVER_LEFT
        assert (await app.queries.gate.budget_spent(at.phone_number_id, "register"))[0] == 0
        at = await app.queries.positions.get(at.migration_id)
        assert (at.side, at.dark_since) == (Side.ON_PREMISES, None)
        outcome = await harness.run_number(app, at.ref)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
    assert (harness.mutations(at).count(call), harness.mutations(at).count("register")) == (1, 1)


WORKER = """
import asyncio, os, signal, sys
import httpx
from migration.app import LIMITS, open_app
from migration.settings import read_settings

class Stopping(httpx.AsyncHTTPTransport):
    # Stops its own process when register is about to connect: after the guard's first look.
    async def handle_async_request(self, request):
        if request.url.path.endswith("/register"):
            print("stopping", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().handle_async_request(request)

async def main(ref):
    async with open_app(read_settings(), transport=lambda tls: Stopping(verify=tls or True, limits=LIMITS)) as app:
        at = await app.queries.positions.find(ref)
        while (await app.queries.positions.get(at.migration_id)).next_step != "register":
            await app.runner.run_step(at.migration_id)
        print("took", await app.runner.run_step(at.migration_id), flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
async def test_a_stopped_process_wakes_and_sends_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """The real clock, a real process and SIGSTOP, in the worst place: inside the call, before its first byte."""
    with sandbox_server("--numbers", "1", "--seed", "3") as told:
        settings = _settings(tmp_path, sqlite_url, told)
        async with open_app(settings) as app:
            write_inventory(tmp_path / "fleet.csv", told["numbers"], {})
            await import_fleet(app, tmp_path / "fleet.csv", "tester", lambda done, of: None)
            (at,) = await app.queries.positions.board()
            env = {
                "CUTOVER_HOME": str(tmp_path),
                "CUTOVER_DATABASE_URL": sqlite_url,
                "CUTOVER_GRAPH_URL": told["graph_url"],
                "CUTOVER_MASTER_KEY": settings.master_key.get_secret_value() if settings.master_key else "",
            }
            with child(sys.executable, "-c", WORKER, at.ref, env=env) as worker:
                assert "stopping" in await asyncio.to_thread(line_of, worker, 60)
                await asyncio.to_thread(os.waitpid, worker.pid, os.WUNTRACED)
                intent = await app.queries.records.open_attempt(at.migration_id)
                assert intent is not None
                assert intent.step == "register"
                await asyncio.sleep(max(5.5 - (time.time() - intent.opened_at.timestamp()), 0.0))
                os.kill(worker.pid, signal.SIGCONT)
                said = await asyncio.to_thread(line_of, worker, 30)
                assert "never left" in said
            assert await _registers(told) == 0
            while not isinstance(outcome := await app.runner.run_one(at.migration_id), Advanced):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            assert outcome.ended
            assert (await app.queries.positions.get(at.migration_id)).side is Side.CLOUD
        assert await _registers(told) == 1


def _settings(home: Path, url: str, told: dict[str, str]) -> Settings:
    for name in ("token", "app_secret", "hook_secret"):
        (home / name).write_text(told[name])
    (home / "cutover.toml").write_text(ADMIN.format(**told))
    return Settings(home=home, database_url=url, master_key=new_master_key(), graph_url=told["graph_url"])


async def _registers(told: dict[str, str]) -> int:
    async with httpx.AsyncClient() as http:
        calls = (await http.get(f"{told['sandbox_url']}/_sandbox/calls")).json()["calls"]
    return sum(1 for call in calls if call["call"] == "register")
