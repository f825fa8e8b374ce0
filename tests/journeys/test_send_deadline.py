"""A worker that was suspended between its intent and its call wakes too late, and sends nothing."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

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
async def test_a_call_past_its_send_by_is_never_sent(
    make_harness: MakeHarness, kind: str, step: str, call: str
) -> None:
    """Neither a call of Graph nor a command: the client that it would stop may serve again by then."""
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, step)
        written: list[bool] = []
        event.listen(
            app.database.sync_engine,
            "before_cursor_execute",
            lambda *call: written.extend([True] if call[2].startswith("INSERT INTO attempts") else []),
        )

        def sleep_after_the_intent() -> None:
            """The worker is suspended right after the commit of its intent."""
            if written:
                written.clear()
                harness.clock.advance(6)

        harness.crash_point.on_commit = sleep_after_the_intent
        assert isinstance(await app.runner.run_step(position.migration_id), Waiting)
        harness.crash_point.on_commit = None
        assert call not in harness.mutations(position)
        attempts = await app.queries.records.attempts(position.migration_id)
        assert attempts[-1]["ended"] == AttemptEnd.NEVER_LEFT
        assert (await app.queries.gate.budget_spent(position.phone_number_id, "register"))[0] == 0
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.dark_since) == (Side.ON_PREMISES, None)
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
    assert (harness.mutations(position).count(call), harness.mutations(position).count("register")) == (1, 1)


WORKER = """
import asyncio, os, signal, sys
import httpx
from migration.app import open_app
from migration.clients.http_clients import LIMITS
from migration.settings import read_settings

class Stopping(httpx.AsyncHTTPTransport):
    # Suspends its own process when register is about to connect: after the guard's first check.
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
async def test_a_suspended_process_wakes_and_sends_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """With the real clock, a real process and SIGSTOP at the worst moment: inside the call, before its first byte."""
    with sandbox_server("--numbers", "1", "--seed", "3") as manifest:
        settings = _settings(tmp_path, sqlite_url, manifest)
        async with open_app(settings) as app:
            write_inventory(tmp_path / "fleet.csv", manifest["numbers"], {})
            await import_fleet(app, tmp_path / "fleet.csv", "tester", lambda done, of: None)
            (position,) = await app.queries.positions.board()
            env = {
                "CUTOVER_HOME": str(tmp_path),
                "CUTOVER_DATABASE_URL": sqlite_url,
                "CUTOVER_GRAPH_URL": manifest["graph_url"],
                "CUTOVER_MASTER_KEY": settings.master_key.get_secret_value() if settings.master_key else "",
            }
            with child(sys.executable, "-c", WORKER, position.ref, env=env) as worker:
                assert "stopping" in await asyncio.to_thread(line_of, worker, 60)
                await asyncio.to_thread(os.waitpid, worker.pid, os.WUNTRACED)
                intent = await app.queries.records.open_attempt(position.migration_id)
                assert intent is not None
                assert intent.step == "register"
                await asyncio.sleep(max(5.5 - (time.time() - intent.opened_at.timestamp()), 0.0))
                os.kill(worker.pid, signal.SIGCONT)
                line = await asyncio.to_thread(line_of, worker, 30)
                assert "never left" in line
            assert await _count_registers(manifest) == 0
            while not isinstance(outcome := await app.runner.run_one(position.migration_id), Advanced):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            assert outcome.ended
            assert (await app.queries.positions.get(position.migration_id)).side is Side.CLOUD
        assert await _count_registers(manifest) == 1


def _settings(home: Path, url: str, manifest: dict[str, str]) -> Settings:
    for name in ("token", "app_secret", "hook_secret"):
        (home / name).write_text(manifest[name])
    (home / "cutover.toml").write_text(ADMIN.format(**manifest))
    return Settings(home=home, database_url=url, master_key=new_master_key(), graph_url=manifest["graph_url"])


async def _count_registers(manifest: dict[str, str]) -> int:
    async with httpx.AsyncClient() as http:
        calls = (await http.get(f"{manifest['sandbox_url']}/_sandbox/calls")).json()["calls"]
    return sum(1 for call in calls if call["call"] == "register")
