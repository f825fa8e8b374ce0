"""The partner's traffic hooks: signed HTTP that tells their senders when to stop, where to send next, when to go on.

An announcement has an idempotency key, so it can be repeated: a lost response is Transient, never OutcomeUnknown.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.http import ORDINARY_TIMEOUT, SEND_BY, transport_errors
from migration.clients.json_values import json_body
from migration.errors import Rejected, Transient
from migration.scrubbing.texts import Fields, SafeText, Scrubber, as_safe, ids_of, numbers_of

FIELDS = Fields(whole=frozenset(("ask",)))
SIGNATURE = "X-Cutover-Signature-256"


@dataclass(frozen=True, slots=True)
class HookDone:
    """The hook has done it; the senders have nothing in flight any more."""


@dataclass(frozen=True, slots=True)
class HookDraining:
    """The hook has accepted it, and the senders still have messages in flight; ask again at `ask_url`."""

    ask_url: str


@dataclass(frozen=True, slots=True)
class HookVetoed:
    """The hook forbids it; allowed before the point of no return only."""

    reason: SafeText


HookAnswer = HookDone | HookDraining | HookVetoed


class TrafficHooks:
    def __init__(self, client: httpx.AsyncClient, url: str, secret: SecretStr) -> None:
        self._client = client
        self._url = url
        self._secret = secret

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        """Send an announcement; `key` is its idempotency key.

        Raises Transient where there is no usable answer, Rejected when the hook refuses otherwise than by a veto.
        """
        content = json.dumps(dict(body), sort_keys=True).encode()
        signature = hmac.new(self._secret.get_secret_value().encode(), content, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            SIGNATURE: f"sha256={signature}",
        }
        with transport_errors("traffic hook", write=False):
            response = await self._client.post(
                self._url, content=content, headers=headers, timeout=ORDINARY_TIMEOUT, extensions={SEND_BY: send_by}
            )
        scrubber = Scrubber(
            [self._secret, signature], numbers=numbers_of(body), ids=ids_of(" ".join(map(str, body.values())))
        )
        return _answer(response, scrubber)

    async def ask(self, ask_url: str) -> HookAnswer:
        """Ask whether the senders still drain, at the URL that the hook gave. Raises as `announce` does."""
        if httpx.URL(ask_url).host != httpx.URL(self._url).host:
            raise Rejected(
                "traffic hook: asked to go to another host",
                None,
                as_safe("the ask URL is on another host than the hook"),
            )
        with transport_errors("traffic hook", write=False):
            response = await self._client.get(ask_url, timeout=ORDINARY_TIMEOUT)
        return _answer(response, Scrubber([self._secret]), ask_url)


def _answer(response: httpx.Response, scrubber: Scrubber, ask_url: str | None = None) -> HookAnswer:
    """`ask_url` is the URL that gave this response: a hook that still drains need not repeat it."""
    content = json_body(response, scrubber, FIELDS)
    body = content if isinstance(content, dict) else {}
    status = response.status_code
    if status == 200:
        return HookDone()
    ask_again = body.get("ask") or ask_url
    if isinstance(ask_again, SafeText):  # the scrubber did not leave it as it was
        why = as_safe("the ask URL is too long, or holds the secret of the hook")
        raise Rejected("traffic hook: gave an ask URL that cannot be kept", status, why)
    if status == 202 and ask_again:
        return HookDraining(str(ask_again))
    if status == 409:
        return HookVetoed(as_safe(body.get("reason") or "no reason given"))
    if status >= 500 or status == 429:
        raise Transient(f"traffic hook: HTTP {status}", True)
    details = f"the hook answered HTTP {status}"
    if status in (401, 403):
        details = "the hook does not accept the signature"
    raise Rejected(f"traffic hook: {details}", status, as_safe(details))
