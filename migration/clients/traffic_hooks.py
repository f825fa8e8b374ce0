"""The partner's traffic hooks: signed HTTP that tells their senders when to stop, where to send next, when to go on.

An announcement has an idempotency key, so it can be repeated: a lost response is Transient, never OutcomeUnknown.
docs/hooks.md is the contract.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from migration.clients.addresses import BadAddress, parse_address
from migration.clients.figures import count, moment, retry_after, text
from migration.clients.http import READ_S, WRITE_S, Answer, HttpClient
from migration.clients.json_values import inside
from migration.errors import Rejected, Throttled, Transient
from migration.scrubbing.texts import Fields, SafeText, Scrubber, as_safe, ids_of, numbers_of

FIELDS = Fields(whole=frozenset(("ask", "until")))
SIGNATURE, TIMESTAMP, KEY = "X-Cutover-Signature-256", "X-Cutover-Timestamp", "Idempotency-Key"
DONE = {"state": "done"}  # the whole body; whatever else a proxy, a login page or another program answers is not it
MOST_ASK_URL = 2_000  # characters
NOT_OURS = "the ask URL is no address with the scheme, host and port of the hook"
LONGEST_HOOK_PAUSE = timedelta(minutes=1)
LONGEST_VETO = timedelta(hours=24)  # a person looks at one that is to last longer, or that says no end


@dataclass(frozen=True, slots=True)
class HookDone:
    """The hook has done it; the senders have nothing in flight any more, or as much as it says."""

    in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class HookDraining:
    """The hook has accepted it, and the senders still have messages in flight; ask again at `ask_url`."""

    ask_url: str
    in_flight: int | None = None
    until: datetime | None = None  # when it expects to have finished


@dataclass(frozen=True, slots=True)
class HookVetoed:
    """The hook forbids it, until a time or until somebody has talked; before the point of no return only."""

    reason: SafeText
    until: datetime | None = None


HookAnswer = HookDone | HookDraining | HookVetoed


class TrafficHooks:
    def __init__(self, client: HttpClient, url: str, secret: SecretStr) -> None:
        self._client = client
        self._url = url
        self._secret = secret

    async def announce(self, body: Mapping[str, Any], key: str, *, send_by: float) -> HookAnswer:
        """Send an announcement; `key` is its idempotency key.

        Raises Transient where there is no usable answer, Rejected when the hook refuses otherwise than by a veto.
        """
        content = json.dumps(dict(body), sort_keys=True).encode()
        headers = {"Content-Type": "application/json", **self._signed(key, content)}
        answer = await self._client.send(
            "POST",
            self._url,
            call="traffic hook",
            by=self._client.within(WRITE_S),
            write=False,
            headers=headers,
            content=content,
            send_by=send_by,
        )
        ids = ids_of(" ".join(map(str, body.values())))
        scrubber = Scrubber([self._secret, headers[SIGNATURE]], numbers=numbers_of(body), ids=ids)
        return self._meaning(answer, scrubber)

    async def ask(self, ask_url: str, key: str, _body: Mapping[str, Any]) -> HookAnswer:
        """Ask whether the senders still drain, at the URL that the hook gave for `key`. Raises as `announce` does."""
        address = self._on_own_origin(ask_url)
        if address is None:
            raise _refused(None, NOT_OURS)
        by, headers = self._client.within(READ_S), self._signed(key, b"")
        answer = await self._client.send("GET", address, call="traffic hook", by=by, write=False, headers=headers)
        return self._meaning(answer, Scrubber([self._secret, headers[SIGNATURE]]), ask_url)

    def _signed(self, key: str, content: bytes) -> dict[str, str]:
        """The headers of a message. Signed with its time and key, it cannot be sent again later or as another one."""
        timestamp = str(int(self._client.clock.now().timestamp()))
        signed = f"{timestamp}.{key}.".encode() + content
        signature = hmac.new(self._secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
        return {KEY: key, TIMESTAMP: timestamp, SIGNATURE: f"sha256={signature}"}

    def _on_own_origin(self, ask_url: str) -> str | None:
        """The address where it has the scheme, the host and the port of the hook's own; else None."""
        if len(ask_url) > MOST_ASK_URL:
            return None
        try:
            asked = parse_address(ask_url, base=False)
        except BadAddress:
            return None
        return str(asked) if asked.origin == parse_address(self._url, base=False).origin else None

    def _meaning(self, answer: Answer, scrubber: Scrubber, ask_url: str | None = None) -> HookAnswer:
        """`ask_url` is the URL that gave this response: a hook that still drains need not repeat it."""
        status = answer.status_code
        if answer.is_cut:
            raise Transient(f"traffic hook: HTTP {status}, {answer.unreadable}", True)
        if status == 200 and answer.is_page:
            raise Transient("traffic hook: HTTP 200 with a page, which no hook sends", True)
        body = answer.read(scrubber, FIELDS)
        if status == 200:
            return _done(body)
        ask_again = text(inside(body, "ask")) or ask_url
        if isinstance(ask_again, SafeText):  # the scrubber did not leave it as it was
            raise _refused(status, "the ask URL is too long, or holds the secret of the hook")
        if status == 202 and ask_again:
            if self._on_own_origin(ask_again) is None:
                raise _refused(status, NOT_OURS)
            return HookDraining(ask_again, count(inside(body, "in_flight")), moment(inside(body, "until")))
        if status == 409:
            reason = as_safe(text(inside(body, "reason")) or "no reason given")
            return HookVetoed(reason, self._veto_ends(inside(body, "until"), answer))
        if status >= 500 or status == 429:
            raise self._later(answer)
        if status in (401, 403):
            raise _refused(status, "the hook does not accept the signature")
        raise _refused(status, f"the hook answered HTTP {status}")

    def _veto_ends(self, until: Any, answer: Answer) -> datetime | None:
        """By `until` of the body or the header Retry-After; None for no end, or one that is too far away."""
        now = self._client.clock.now()
        wait = retry_after(answer.headers, now)
        ends = moment(until) or (now + wait if wait is not None else None)
        return ends if ends is not None and ends - now <= LONGEST_VETO else None

    def _later(self, answer: Answer) -> Transient:
        """A hook may ask for a pause, but no longer one than we make ourselves: numbers may be dark meanwhile."""
        message = f"traffic hook: HTTP {answer.status_code}"
        wait = retry_after(answer.headers, self._client.clock.now())
        return Throttled(message, min(wait, LONGEST_HOOK_PAUSE)) if wait is not None else Transient(message, True)


def _done(body: Any) -> HookDone:
    """Raises Transient for every other body: a proxy, a login page and a wrong program answer 200 too."""
    more = {name: value for name, value in body.items() if name != "in_flight"} if isinstance(body, dict) else None
    in_flight = count(inside(body, "in_flight"))
    if more != DONE or (body != DONE and in_flight is None):
        raise Transient('traffic hook: HTTP 200 without {"state": "done"}, which says nothing', True)
    return HookDone(in_flight)


def _refused(status: int | None, details: str) -> Rejected:
    return Rejected(f"traffic hook: {details}", status, as_safe(details))
