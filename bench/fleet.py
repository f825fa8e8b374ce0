"""What a number costs the process that moves it, beside a plain script that makes as many calls and keeps no state."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.served import served
from bench.table import Row
from migration.demo.partner_files import write_home

NUMBERS, AT_ONCE = 300, 20
AT_MOST, FLAT = 2.0, 1.1
SANDBOX = ("--kinds", "healthy", "--switch", "management_limits=off")


def run() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        ours, calls = _cutover(Path(folder))
        plain, rows = _script(Path(folder), calls), _script(Path(folder), calls, str(Path(folder, "rows.db")))
    yield Row(f"cutover: CPU a number, {NUMBERS} numbers, {AT_ONCE} at once, SQLite", _each(ours))
    yield Row("cutover: calls a number", f"{calls}")
    yield Row("baseline: the script with as many calls", _each(plain))
    yield Row("baseline: the script with as many calls and one SQLite row a step", _each(rows))
    ratio = ours["cpu"] / rows["cpu"]
    yield _ratio("cutover against the script with rows", ratio, AT_MOST)
    yield _ratio("cutover: the last third against the first", ours["last"] / ours["first"], FLAT)


def _ratio(what: str, ratio: float, most: float) -> Row:
    return Row(what, f"{ratio:.2f} times", f"{most:g} times or less", ratio <= most)


def _each(result: Mapping[str, Any]) -> str:
    return f"{result['cpu'] / result['moved'] * 1000:.0f} ms"


def _cutover(folder: Path) -> tuple[dict[str, Any], int]:
    home = folder / "home"
    with served("--numbers", str(NUMBERS), *SANDBOX) as (_, manifest, _):
        home.mkdir()
        write_home(home, manifest)
        environment = os.environ | {"CUTOVER_HOME": str(home), "CUTOVER_GRAPH_URL": manifest["graph_url"]}
        _python(["-m", "migration.cli", "init"], environment)
        result = json.loads(_python(["-m", "bench.mover", str(AT_ONCE)], environment).splitlines()[-1])
        record = httpx.get(f"{manifest['sandbox_url']}/_sandbox/calls", params={"limit": 1_000_000}, trust_env=False)
        calls = [call for call in record.json()["calls"] if call["number"] == manifest["numbers"][-1]["e164"]]
    if result["moved"] != NUMBERS:
        raise RuntimeError(f"{result['moved']} of {NUMBERS} moved")
    return result, len(calls)


def _script(folder: Path, calls: int, rows: str | None = None) -> dict[str, Any]:
    with served("--numbers", str(NUMBERS), *SANDBOX) as (_, manifest, _):
        path = folder / "manifest.json"
        path.write_text(json.dumps(manifest))
        arguments = ["-m", "bench.plain_script", str(path), str(AT_ONCE), str(calls), *([rows] if rows else [])]
        result: dict[str, Any] = json.loads(_python(arguments, os.environ).splitlines()[-1])
    return result


def _python(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
