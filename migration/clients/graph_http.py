"""HTTP to Graph: authorization, the proof of the app secret, and the error that a response means."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from pydantic import SecretStr

from migration.clients.graph_errors import graph_error
from migration.clients.graph_models import PROFILE_FIELDS
from migration.clients.http import READ_S, WRITE_S, Answer, HttpClient
from migration.clients.rate_budget import GraphCalls
from migration.errors import OutcomeUnknown, Rejected, Throttled
from migration.scrubbing.texts import Fields, Scrubber, as_safe, ids_of, numbers_of, secrets_of

# Read as they are: what identifies something, what a customer wrote about themself, and times.
_IDS = ("id", "app_id", "fbtrace_id", "after", "certificate")
_NUMBER = ("display_phone_number", "verified_name", "last_onboarded_time", "override_callback_uri", "expires_at")
FIELDS = Fields(whole=frozenset((*_IDS, *_NUMBER, *PROFILE_FIELDS)))


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

    def within(self, seconds: float) -> float:
        """The deadline of a call of several requests, on the boot-time clock."""
        return self._client.within(seconds)

    async def get(self, path: str, *, by: float | None = None, **query: str) -> dict[str, Any]:
        """The body of the response, which is an object. `by`: the deadline; by default READ_S from now.

        Raises what `graph_error` says, or Transient where there is no response; CallsSpent where it was not sent for
        want of calls.
        """
        if self.calls is not None:
            await self.calls.before(path)
        call = f"GET {path}"
        answer = await self._client.send(
            "GET",
            self._base + path,
            call=call,
            by=self.within(READ_S) if by is None else by,
            write=False,
            params={**query, **self._proof()},
            headers=self._headers(),
        )
        error: Exception | None = None
        try:
            return self._checked(call, answer, self._scrubber(path, query), write=False)
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
        required: str = "success",
    ) -> dict[str, Any]:
        """The body of the response, which must have the field `required`, and must not say `success=false`.

        `seconds`: the longest that it may take. Raises OutcomeUnknown where the effect is not known: no response, or
        one without that field.
        """
        call = f"POST {path}"
        connection: AbstractAsyncContextManager[HttpClient] = (
            self._new_client() if new_connection else nullcontext(self._client)
        )
        async with connection as client:
            answer = await client.send(
                "POST",
                self._base + path,
                call=call,
                by=client.within(seconds),
                write=True,
                params=self._proof(),
                json_body=body,
                headers=self._headers(),
                send_by=send_by,
            )
        content = self._checked(call, answer, self._scrubber(path, body), write=True)
        if required == "success":
            _check_success(call, content)
        elif required not in content:
            raise OutcomeUnknown(f"{call}: answered without `{required}`")
        return content

    def _checked(self, call: str, answer: Answer, scrubber: Scrubber, *, write: bool) -> dict[str, Any]:
        body = answer.read(scrubber, FIELDS)
        if isinstance(body, dict) and body.get("error") is None and answer.is_success:
            return body
        raise graph_error(call, answer, body, self._client.clock.now(), write=write)

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


def _check_success(call: str, body: Mapping[str, Any]) -> None:
    """Older pages of Meta show the text "true", newer ones the boolean."""
    success = str(body.get("success")).lower()
    if success == "false":
        raise Rejected(f"{call}: answered success=false", None, as_safe("answered success=false"))
    if success != "true":
        raise OutcomeUnknown(f"{call}: answered without `success`")
