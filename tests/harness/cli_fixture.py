"""`cutover` in this process against a sandbox in a process of its own, with a home folder and a fleet."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from typer.testing import CliRunner

from migration.cli.__main__ import app
from tests.harness.partner_files import ADMIN, write_inventory, write_secrets
from tests.harness.servers import sandbox_server

STOP = '[commands.stop]\nargv = ["true"]'


@dataclass
class CommandOutput:
    """What a command printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The JSON of the last line."""
        return json.loads(self.stdout.strip().splitlines()[-1])

    @property
    def error_line(self) -> str:
        """The one line on stderr, without its prefix. Fails where there are more lines, as with a traceback."""
        (line,) = self.stderr.strip().splitlines()
        assert line.startswith("cutover: ")
        return line.removeprefix("cutover: ")


@dataclass
class SandboxProcess:
    manifest: dict[str, Any]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call one of the sandbox's controls; gives its JSON answer."""
        raw = json.dumps(body).encode() if body is not None else None
        request = Request(f"{self.manifest['sandbox_url']}/_sandbox/{path}", raw, method=method)
        with urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")


@contextmanager
def run_sandbox(*arguments: str) -> Iterator[SandboxProcess]:
    with sandbox_server(*arguments) as manifest:
        yield SandboxProcess(manifest)


@dataclass
class CliFixture:
    """An operator's home folder and environment variables."""

    home: Path
    sandbox: SandboxProcess
    env: dict[str, str] = field(default_factory=dict)

    def cutover(self, *arguments: str, typed: str | None = None, env: Mapping[str, str] | None = None) -> CommandOutput:
        """Run a command; `typed` is its standard input. An exception that is no exit is raised again."""
        result = CliRunner().invoke(app, list(arguments), input=typed, env=self.env | dict(env or {}))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return CommandOutput(result.exit_code, result.stdout, result.stderr)

    @property
    def fleet(self) -> list[dict[str, Any]]:
        return list(self.sandbox.manifest["numbers"])

    def inventory(self, *numbers: dict[str, Any], **columns: str) -> str:
        """Write an inventory file of these numbers, or of the whole fleet; gives its path."""
        path = self.home / "fleet.csv"
        write_inventory(path, numbers or self.fleet, columns)
        return str(path)


def build_cli_fixture(home: Path, sandbox: SandboxProcess, database: str | None = None) -> CliFixture:
    """A home as `cutover init` leaves it, with its admin file filled in."""
    home.mkdir(exist_ok=True)
    env = {name: "" for name in os.environ if name.startswith("CUTOVER_")} | {
        "CUTOVER_HOME": str(home),
        "CUTOVER_GRAPH_URL": sandbox.manifest["graph_url"],
        "CUTOVER_OPERATOR": "tester",
        "COLUMNS": "250",
    }
    if database is not None:
        env["CUTOVER_DATABASE_URL"] = database
    cli = CliFixture(home, sandbox, env)
    assert cli.cutover("init").exit_code == 0
    write_secrets(home, sandbox.manifest)
    argv = [sys.executable, "-m", "sandbox.control.client_commands", "--url", sandbox.manifest["sandbox_url"]]
    stop = f"[commands.stop]\nargv = {json.dumps([*argv, 'stop', '{instance}'])}"
    (home / "cutover.toml").write_text(ADMIN.format(**sandbox.manifest).replace(STOP, stop))
    return cli
