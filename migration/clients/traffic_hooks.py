"""The partner's traffic hooks: signed HTTP that tells their senders to stop, where to send next, to go on.

A word has an idempotency key, so saying it again is harmless; no answer is therefore Transient, never unknown.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.http import ORDINARY, SEND_BY
from migration.clients.masking import without_numbers
from migration.errors import Rejected, Transient

SIGNATURE = "X-Cutover-Signature-256"


@dataclass(frozen=True, slots=True)
class HookDone:
    """Heard, and nothing is in flight any more."""


@dataclass(frozen=True, slots=True)
class HookDraining:
    """Heard; ask again at `ask_url`."""

    ask_url: str


@dataclass(frozen=True, slots=True)
class HookVetoed:
    reason: str


HookAnswer = HookDone | HookDraining | HookVetoed


class TrafficHooks:
    def __init__(self, http: httpx.AsyncClient, url: str, secret: SecretStr) -> None:
        self._http = http
        self._url = url
        self._secret = secret

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        """Raises Transient when there is no usable answer, Rejected when the hook refuses otherwise than by a veto."""
        raw = json.dumps(dict(body), sort_keys=True).encode()
        signature = hmac.new(self._secret.get_secret_value().encode(), raw, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            SIGNATURE: f"sha256={signature}",
        }
        try:
            answer = await self._http.post(
                self._url, content=raw, headers=headers, timeout=ORDINARY, extensions={SEND_BY: send_by}
            )
        except httpx.TransportError as exc:
            raise Transient(f"traffic hook: no answer ({type(exc).__name__})") from exc
        return _read(answer)

    async def ask(self, ask_url: str) -> HookAnswer:
        """How far the senders are, at the address that they gave. Still draining, it need not be named again."""
        if httpx.URL(ask_url).host != httpx.URL(self._url).host:
            raise Rejected(
                "traffic hook: asked to go to another host", None, "the ask URL is on another host than the hook"
            )
        try:
            answer = await self._http.get(ask_url, timeout=ORDINARY)
        except httpx.TransportError as exc:
            raise Transient(f"traffic hook: no answer ({type(exc).__name__})") from exc
        return _read(answer, ask_url)


def _read(answer: httpx.Response, asked: str | None = None) -> HookAnswer:
    """`asked`: the address that gave this answer; senders that still drain need not name it once more."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    told = body if isinstance(body, dict) else {}
    if answer.status_code == 200:
        return HookDone()
    ask = told.get("ask") or asked
    if answer.status_code == 202 and ask:
        return HookDraining(str(ask))
    if answer.status_code == 409:
        return HookVetoed(without_numbers(str(told.get("reason") or "no reason given")))
    if answer.status_code >= 500 or answer.status_code == 429:
        raise Transient(f"traffic hook: HTTP {answer.status_code}", True)
    details = f"the hook answered HTTP {answer.status_code}"
    if answer.status_code in (401, 403):
        details = "the hook does not accept the signature"
    raise Rejected(f"traffic hook: {details}", answer.status_code, details)


__all__ = ["HookAnswer", "HookDone", "HookDraining", "HookVetoed", "TrafficHooks"]
