"""`cutover` in this process against a sandbox of its own process: a home folder, a fleet, and what was printed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from typer.testing import CliRunner

from migration.cli.__main__ import app
from tests.harness.in_process import ADMIN, write_inventory

ROOT = Path(__file__).parents[2]


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON of the last line."""
        return json.loads(self.out.strip().splitlines()[-1])

    @property
    def complaint(self) -> str:
        """The one line on stderr. Fails where there is another one, or a traceback."""
        (line,) = self.err.strip().splitlines()
        assert line.startswith("cutover: ")
        return line.removeprefix("cutover: ")


@dataclass
class Sandbox:
    """A sandbox as a child process."""

    told: dict[str, Any]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        raw = json.dumps(body).encode() if body is not None else None
        with urlopen(Request(f"{self.told['sandbox_url']}/_sandbox/{path}", raw, method=method), timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@contextmanager
def sandbox(*arguments: str) -> Iterator[Sandbox]:
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        yield Sandbox(json.loads(child.stdout.readline()))
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


@dataclass
class Desk:
    """An operator's home folder and shell."""

    home: Path
    far: Sandbox
    env: dict[str, str] = field(default_factory=dict)

    def cutover(self, *arguments: str, typed: str | None = None, env: Mapping[str, str] | None = None) -> Said:
        told = CliRunner().invoke(app, list(arguments), input=typed, env=self.env | dict(env or {}))
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception  # a traceback in an operator's terminal
        assert "Traceback" not in told.output
        return Said(told.exit_code, told.stdout, told.stderr)

    @property
    def fleet(self) -> list[dict[str, Any]]:
        return list(self.far.told["numbers"])

    def inventory(self, *numbers: dict[str, Any], **columns: str) -> str:
        path = self.home / "fleet.csv"
        write_inventory(path, numbers or self.fleet, columns)
        return str(path)


def desk(home: Path, far: Sandbox, database: str | None = None) -> Desk:
    """A home as `cutover init` leaves it, with its admin file filled in."""
    home.mkdir(exist_ok=True)
    env = {name: "" for name in os.environ if name.startswith("CUTOVER_")} | {
        "CUTOVER_HOME": str(home),
        "CUTOVER_GRAPH_URL": far.told["graph_url"],
        "CUTOVER_OPERATOR": "tester",
        "COLUMNS": "250",
    }
    if database is not None:
        env["CUTOVER_DATABASE_URL"] = database
    made = Desk(home, far, env)
    assert made.cutover("init").code == 0
    for name in ("token", "app_secret", "hook_secret"):
        (home / name).write_text(far.told[name])
    control = [
        sys.executable,
        "-m",
        "sandbox.control.client_commands",
        "--url",
        far.told["sandbox_url"],
        "stop",
        "{instance}",
    ]
    stop = f"argv = {json.dumps(control)}"
    admin = ADMIN.format(**far.told).replace('[commands.stop]\nargv = ["true"]', f"[commands.stop]\n{stop}")
    (home / "cutover.toml").write_text(admin)
    return made
