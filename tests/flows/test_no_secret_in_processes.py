"""A whole wave with a Prefect worker, pages and commands: no secret among the arguments or variables of a process."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.demo.servers import DemoServers
from migration.operations.received_codes import enter_code
from state.enums import Side
from tests.harness.flow_environment import FlowEnvironment
from tests.harness.prefect_runs import set_sweeps_active
from tests.harness.process_sampler import ProcessSampler
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.alone]
ENDS_WITHIN_S = 120
PROCESSES = (
    "prefect server start",
    "migration.cli worker",  # starts the flow's process
    "prefect.engine",
    "migration.cli serve",
    "sweep --follow",  # the child of `serve`, which opens tokens
    "sandbox.control.client_commands",  # a named command
)


async def test_no_secret_is_an_argument_or_a_variable_of_a_process(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTOVER_GRAPH_URL", os.environ.get("CUTOVER_GRAPH_URL", ""))
    async with DemoServers(tmp_path / "servers") as servers:
        environment = FlowEnvironment(servers, sqlite_template)
        with ProcessSampler() as sampler:
            await environment.start_and_import("--numbers", "2", "--kinds", "healthy,no_backup")
            secrets = _secrets(servers.manifest)
            secrets.add(servers.settings.key_path.read_text().strip())
            await servers.start_prefect()
            await servers.cutover("deploy")
            servers.start_process("serve", "migration.cli", "serve", "--port", "0")
            async with PrefectApi(servers.prefect_url) as api:
                await set_sweeps_active(api, active=False)
                await servers.start_worker("worker-1")
                run = await api.start("run-wave/run-wave", {"wave": "demo", "patience_s": 20, "gate_min": 0})
                secrets |= await _enter_codes(environment)
                await wait_for(lambda: api.has_ended(run), "the run has ended", within_s=ENDS_WITHIN_S)

            async def all_are_on_cloud() -> bool:
                return all(position.side is Side.CLOUD for position in await environment.positions())

            await wait_for(all_are_on_cloud, "both numbers are on Cloud", within_s=ENDS_WITHIN_S)
    missed = [name for name in PROCESSES if not sampler.ran(name)]
    assert not missed, "these processes were not looked at"
    assert len(secrets) >= 8
    found = [
        (part, secret[:3], text[:80])
        for part in ("cmdline", "environ")
        for _, text in sampler.of(part)
        for secret in secrets
        if secret.encode() in text
    ]
    assert found == []


def test_what_stands_there_is_seen() -> None:
    """The search above would find it."""
    with ProcessSampler() as sampler:
        sleep = [sys.executable, "-c", "import time; time.sleep(0.5)", "planted-argument"]
        subprocess.run(sleep, env={**os.environ, "PLANTED": "planted-variable"}, check=True)
    assert sampler.ran("planted-argument")
    assert any(b"PLANTED=planted-variable" in text for _, text in sampler.of("environ"))


async def _enter_codes(environment: FlowEnvironment) -> set[str]:
    """Type in the code of each number that waits for one; gives the codes."""
    codes: set[str] = set()
    async with environment.app() as app, SandboxControl(environment.sandbox_url) as control:
        for position in await app.queries.positions.board():
            if position.itinerary == "CODE_FIRST":
                newest = partial(control.code, position.e164)
                codes.add(str(await wait_for(newest, "a code", within_s=ENDS_WITHIN_S)))
                await enter_code(app, position.ref, SecretStr(max(codes)), "tester")
    assert len(codes) == 1
    return codes


def _secrets(manifest: dict[str, Any]) -> set[str]:
    own = {str(manifest[name]) for name in ("token", "app_secret", "hook_secret", "verify_token") if manifest.get(name)}
    of_numbers = {str(number[name]) for number in manifest["numbers"] for name in ("password", "pin") if number[name]}
    return own | of_numbers
