"""The baselines of the benchmarks, each against a sandbox of its own that nobody has used."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.homes import folder, run_module
from bench.served import served

Result = Mapping[str, float]


def script(sandbox: Sequence[str], at_once: int, calls: int, *options: str, rows: bool = False) -> Result:
    """What the plain script costs for the fleet of the sandbox. `rows`: with one SQLite row a step."""
    with folder() as room, served(*sandbox) as (_, manifest, _):
        kept = ["--rows", str(room / "rows.db")] if rows else []
        return run_script(room, manifest, at_once, calls, *options, *kept)


def run_script(
    room: Path,
    manifest: Mapping[str, Any],
    at_once: int,
    calls: int,
    *options: str,
    environment: Mapping[str, str] = os.environ,
) -> Result:
    path = room / "manifest.json"
    path.write_text(json.dumps(manifest))
    return run_module(environment, "bench.plain_script", str(path), str(at_once), str(calls), *options)
