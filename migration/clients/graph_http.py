"""HTTP to Graph: authorization, the proof of the app secret, and the error that a response means."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from pydantic import SecretStr

from migration.clients.graph_errors import graph_error
from migration.clients.graph_models import PROFILE_FIELDS
from migration.clients.http import READ_S, WRITE_S, Answer, HttpClient
from migration.clients.rate_budget import GraphCalls
from migration.clients.usage_headers import ANYBODY
from migration.errors import OutcomeUnknown, Rejected, Throttled
from migration.scrubbing.texts import Fields, Scrubber, as_safe, ids_of, numbers_of, secrets_of

# Read as they are: what identifies something, what a customer wrote about themself, and times.
_IDS = ("id", "app_id", "fbtrace_id", "after", "certificate", "h")
_NUMBER = ("display_phone_number", "verified_name", "last_onboarded_time", "override_callback_uri", "expires_at")
FIELDS = Fields(whole=frozenset((*_IDS, *_NUMBER, *PROFILE_FIELDS)))


UNKNOWN_FIELD = 100  # Graph's code for a field that it does not know, and for other bad parameters
_UNKNOWN_FIELD = re.compile(r"nonexisting field \((\w{1,60})\)")
# Seconds. No call is sent later than that after its intent was measured, and a server may close what is idle.
AHEAD_S = 6.0
_CLOSING: set[asyncio.Future[None]] = set()


class GraphHttp:
    """Sends calls with one system-user token. Paths begin with `/` and follow `base`, which includes the version."""

    def __init__(
        self,
        client: HttpClient,
        new_client: Callable[[], HttpClient],
        base: str,
        token: SecretStr,
        app_secret: SecretStr | None,
        calls: GraphCalls | None = None,
    ) -> None:
        self._client = client
        self._new_client = new_client
        self._base = base.rstrip("/")
        self._token = token
        self._app_secret = app_secret
        self.calls = calls
        self._ahead: HttpClient | None = None
        self._closes: asyncio.TimerHandle | None = None

    def connect_ahead(self) -> None:
        """Open the connection of the next call that asks for a new one. Unused, it is closed after AHEAD_S."""
        if self._ahead is not None:
            return
        self._ahead = self._new_client()
        self._ahead.open_ahead(self._base)
        self._closes = asyncio.get_running_loop().call_later(AHEAD_S, self._drop_ahead)

    def _drop_ahead(self) -> None:
        client, self._ahead = self._ahead, None
        if client is not None:
            closing = asyncio.ensure_future(client.aclose())
            _CLOSING.add(closing)
            closing.add_done_callback(_CLOSING.discard)

    def _fresh_client(self) -> HttpClient:
        """Without a connection that was used before; the caller closes it."""
        client, self._ahead = self._ahead, None
        if self._closes is not None:
            self._closes.cancel()
        return client or self._new_client()

    def within(self, seconds: float) -> float:
        """The deadline of a call of several requests, on the boot-time clock."""
        return self._client.within(seconds)

    async def get(self, path: str, *, by: float | None = None, **query: str) -> dict[str, Any]:
        """The body of the response, which is an object. `by`: the deadline of all of it; by default READ_S from now.

        A field that this version of Graph does not know would refuse the whole reading: it is left out, and absent.
        Raises what `graph_error` says, or Transient where there is no response; CallsSpent where it was not sent for
        want of calls.
        """
        by = self.within(READ_S) if by is None else by
        while True:
            try:
                return await self._get(path, by, query)
            except Rejected as exc:
                known = _without_unknown_field(query, exc)
                if known is None:
                    raise
                query = known

    async def _get(self, path: str, by: float, query: Mapping[str, str]) -> dict[str, Any]:
        if self.calls is not None:
            await self.calls.before(path)
        call = f"GET {path}"
        answer = await self._client.send(
            "GET",
            self._base + path,
            call=call,
            by=by,
            write=False,
            params={**query, **self._proof()},
            headers=self._headers(),
        )
        error: Exception | None = None
        try:
            return self._checked(call, path, answer, self._scrubber(path, query), write=False)
        except Throttled as exc:
            error = exc
            raise
        finally:
            if self.calls is not None:
                await self.calls.after(path, answer.headers, error)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        send_by: float,
        seconds: float = WRITE_S,
        new_connection: bool = False,
        required: str | None = "success",
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> dict[str, Any]:
        """The body of the response, which must have the field `required`, if any, and must not say `success=false`.

        `content`: bytes in place of `body`, from the first one on. `seconds`: the longest that it may take. Raises
        OutcomeUnknown where the effect is not known: no response, or one without that field; CallsSpent where it was
        not sent, because Graph takes no calls of the app itself.
        """
        call = f"POST {path}"
        if self.calls is not None:
            await self.calls.before_write(path)
        connection: AbstractAsyncContextManager[HttpClient] = (
            self._fresh_client() if new_connection else nullcontext(self._client)
        )
        async with connection as client:
            answer = await client.send(
                "POST",
                self._base + path,
                call=call,
                by=client.within(seconds),
                write=True,
                params={**(query or {}), **self._proof()},
                json_body=body if content is None else None,
                content=content,
                headers=self._headers() if content is None else self._headers() | {"file_offset": "0"},
                send_by=send_by,
            )
        try:
            given = self._checked(call, path, answer, self._scrubber(path, body), write=True)
        except Throttled as exc:
            if self.calls is not None:
                await self.calls.after_write(path, answer.headers, exc)
            raise
        if required == "success":
            _check_success(call, given)
        elif required is not None and required not in given:
            raise OutcomeUnknown(f"{call}: answered without `{required}`")
        return given

    def _checked(self, call: str, path: str, answer: Answer, scrubber: Scrubber, *, write: bool) -> dict[str, Any]:
        body = answer.read(scrubber, FIELDS)
        if isinstance(body, dict) and body.get("error") is None and answer.is_success:
            return body
        concerned = self.calls.concerned(path) if self.calls is not None else ANYBODY
        raise graph_error(call, answer, body, self._client.clock.now(), write=write, concerned=concerned)

    def _scrubber(self, path: str, sent: Mapping[str, Any]) -> Scrubber:
        secrets = [self._token, self._app_secret, *self._proof().values(), *secrets_of(sent)]
        return Scrubber(secrets, numbers=numbers_of(sent), ids=ids_of(path))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    def _proof(self) -> dict[str, str]:
        """https://developers.facebook.com/docs/graph-api/guides/secure-requests (HMAC-SHA256 of the token)."""
        if self._app_secret is None:
            return {}
        key, token = self._app_secret.get_secret_value(), self._token.get_secret_value()
        return {"appsecret_proof": hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()}


def _without_unknown_field(query: Mapping[str, str], refused: Rejected) -> dict[str, str] | None:
    """The query without the field that Graph says it does not know; None where it says something else."""
    named = _UNKNOWN_FIELD.search(refused.details) if refused.error_code == UNKNOWN_FIELD else None
    fields = query.get("fields", "").split(",")
    left = [name for name in fields if named is not None and name != named[1]]
    return {**query, "fields": ",".join(left)} if left and len(left) < len(fields) else None


def _check_success(call: str, body: Mapping[str, Any]) -> None:
    """Older pages of Meta show the text "true", newer ones the boolean."""
    success = str(body.get("success")).lower()
    if success == "false":
        raise Rejected(f"{call}: answered success=false", None, as_safe("answered success=false"))
    if success != "true":
        raise OutcomeUnknown(f"{call}: answered without `success`")
