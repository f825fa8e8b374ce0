"""What the sandbox has on record: its calls, and what became of each number."""

from collections.abc import Mapping
from typing import Any

import httpx

Call = Mapping[str, Any]
PAGE = 5_000


def _get(manifest: Mapping[str, Any], path: str, **parameters: int) -> Any:
    response = httpx.get(f"{manifest['sandbox_url']}/_sandbox/{path}", params=parameters, trust_env=False, timeout=60)
    return response.json()


def all_calls(manifest: Mapping[str, Any]) -> list[Call]:
    """Every call in its order."""
    calls: list[Call] = []
    while page := _get(manifest, "calls", since=calls[-1]["seq"] if calls else 0, limit=PAGE)["calls"]:
        calls += page
    return calls


def calls_of(manifest: Mapping[str, Any], number: Mapping[str, Any]) -> list[Call]:
    """The calls of one number, and the commands that were run on its client."""
    ours = f"/_sandbox/instances/{number['instance']}"
    return [call for call in all_calls(manifest) if call["e164"] == number["e164"] or call["path"] == ours]


def world(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The true state of each number."""
    numbers: list[Mapping[str, Any]] = _get(manifest, "world")["numbers"]
    return numbers
