"""HTTP to Graph: authorization, the proof of the app secret, and the error that a response means."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph_errors import graph_error
from migration.clients.graph_models import PROFILE_FIELDS
from migration.clients.http import ORDINARY_TIMEOUT, SEND_BY, transport_errors
from migration.clients.json_values import json_body
from migration.errors import OutcomeUnknown, Rejected
from migration.scrubbing.texts import Fields, Scrubber, as_safe, ids_of, numbers_of, secrets_of

# Read as they are: what identifies something, what a customer wrote about themself, and times.
_IDS = ("id", "app_id", "fbtrace_id", "after", "certificate")
_NUMBER = ("display_phone_number", "verified_name", "last_onboarded_time", "override_callback_uri")
FIELDS = Fields(whole=frozenset((*_IDS, *_NUMBER, *PROFILE_FIELDS)))


class GraphHttp:
    """Sends calls with one system-user token. Paths begin with `/` and follow `base`, which includes the version."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        new_client: Callable[[], httpx.AsyncClient],
        base: str,
        token: SecretStr,
        app_secret: SecretStr | None,
    ) -> None:
        self._client = client
        self._new_client = new_client
        self._base = base.rstrip("/")
        self._token = token
        self._app_secret = app_secret

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """The body of the response. Raises what `graph_error` says, or Transient where there is no response."""
        call = f"GET {path}"
        with transport_errors(call, write=False):
            response = await self._client.get(
                self._base + path,
                params={**query, **self._proof()},
                headers=self._headers(),
                timeout=ORDINARY_TIMEOUT,
            )
        return _checked(call, response, self._scrubber(path, query), write=False)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        send_by: float,
        timeout: httpx.Timeout = ORDINARY_TIMEOUT,
        new_connection: bool = False,
        required: str = "success",
    ) -> dict[str, Any]:
        """The body of the response, which must have the field `required`, and must not say `success=false`.

        Raises OutcomeUnknown where the effect is not known: no response, or one without that field.
        """
        call = f"POST {path}"
        connection: AbstractAsyncContextManager[httpx.AsyncClient] = (
            self._new_client() if new_connection else nullcontext(self._client)
        )
        async with connection as client:
            with transport_errors(call, write=True):
                response = await client.post(
                    self._base + path,
                    params=self._proof(),
                    json=dict(body),
                    headers=self._headers(),
                    timeout=timeout,
                    extensions={SEND_BY: send_by},
                )
        content = _checked(call, response, self._scrubber(path, body), write=True)
        if required == "success":
            _check_success(call, content)
        elif required not in content:
            raise OutcomeUnknown(f"{call}: answered without `{required}`")
        return content

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


def _checked(call: str, response: httpx.Response, scrubber: Scrubber, *, write: bool) -> dict[str, Any]:
    body = json_body(response, scrubber, FIELDS)
    if isinstance(body, dict) and "error" not in body and response.is_success:
        return body
    raise graph_error(call, response, body, write=write)


def _check_success(call: str, body: Mapping[str, Any]) -> None:
    """Older pages of Meta show the text "true", newer ones the boolean."""
    success = str(body.get("success")).lower()
    if success == "false":
        raise Rejected(f"{call}: answered success=false", None, as_safe("answered success=false"))
    if success != "true":
        raise OutcomeUnknown(f"{call}: answered without `success`")
