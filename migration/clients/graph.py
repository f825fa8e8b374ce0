"""Cloud API through Graph: one method per call, named after what it does to the number.

https://developers.facebook.com/documentation/business-messaging/whatsapp (fields and paths: each method)
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from migration.clients.graph_errors import graph_error
from migration.clients.graph_models import (
    NUMBER_FIELDS,
    PROFILE_FIELDS,
    Backup,
    CloudNumber,
    Health,
    Profile,
    StorageSettings,
    SubscribedApp,
    TokenFacts,
    Waba,
)
from migration.clients.http import NEVER_LEFT, ORDINARY, REGISTER, SEND_BY
from migration.errors import OutcomeUnknown, Rejected, Transient

M = TypeVar("M", bound=BaseModel)
PAGE = 100  # the most that phone_numbers gives at once


class GraphApi:
    """One credential profile's view of Graph. `base` includes the version, as in `https://graph.facebook.com/v25.0`."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        fresh: Callable[[], httpx.AsyncClient],
        base: str,
        token: SecretStr,
        app_secret: SecretStr | None = None,
    ) -> None:
        self._http = http
        self._fresh = fresh
        self._base = base.rstrip("/")
        self._token = token
        self._app_secret = app_secret

    # -- reading

    async def number(self, phone_number_id: str) -> CloudNumber:
        return _as(CloudNumber, await self._read(_path(phone_number_id), fields=NUMBER_FIELDS))

    async def numbers(self, waba_id: str) -> tuple[CloudNumber, ...]:
        """All numbers of a WABA, page by page; the end is where `next` is absent."""
        found: list[CloudNumber] = []
        asked: dict[str, str] = {"fields": NUMBER_FIELDS, "limit": str(PAGE)}
        while True:
            body = await self._read(f"{_path(waba_id)}/phone_numbers", **asked)
            found += [_as(CloudNumber, row) for row in body.get("data", [])]
            paging = body.get("paging") or {}
            after = (paging.get("cursors") or {}).get("after")
            if "next" not in paging or after is None:
                return tuple(found)
            # `next` itself is not followed: it may carry the token and another host.
            asked["after"] = after

    async def certificate(self, phone_number_id: str) -> str:
        """The verified-name certificate that an On-Premises registration needs; empty where there is none."""
        body = await self._read(_path(phone_number_id), fields="certificate")
        return str(body.get("certificate") or "")

    async def waba(self, waba_id: str) -> Waba:
        fields = "id,name,account_review_status,business_verification_status"
        return _as(Waba, await self._read(_path(waba_id), fields=fields))

    async def subscribed_apps(self, waba_id: str) -> tuple[SubscribedApp, ...]:
        body = await self._read(f"{_path(waba_id)}/subscribed_apps")
        return tuple(
            SubscribedApp(
                # Nested on Meta's page, flat in its OpenAPI file. Not to see ours would lead to a bare POST, which
                # removes an override.
                app_id=str((row.get("whatsapp_business_api_data") or row).get("id", "")),
                override_callback_uri=row.get("override_callback_uri"),
            )
            for row in body.get("data", [])
        )

    async def settings(self, phone_number_id: str) -> StorageSettings:
        body = await self._read(f"{_path(phone_number_id)}/settings")
        return _as(StorageSettings, body.get("storage_configuration") or {})

    async def profile(self, phone_number_id: str) -> Profile:
        path = f"{_path(phone_number_id)}/whatsapp_business_profile"
        body = await self._read(path, fields=",".join(PROFILE_FIELDS))
        rows = body.get("data") or [{}]
        return _as(Profile, rows[0])

    async def health(self, phone_number_id: str) -> Health:
        body = await self._read(_path(phone_number_id), fields="health_status")
        return _health(body.get("health_status") or {})

    async def debug_token(self) -> TokenFacts:
        """What Graph says about our own token: its app, scopes and end."""
        body = await self._read("/debug_token", input_token=self._token.get_secret_value())
        return _as(TokenFacts, body.get("data") or {})

    # -- writing

    async def register(self, phone_number_id: str, pin: SecretStr, backup: Backup | None, *, send_by: float) -> None:
        """Register on Cloud; with a backup this also takes the number off On-Premises. On a connection of its own:
        an idle one that the far side has closed would lose the one answer that matters."""
        body: dict[str, Any] = {"messaging_product": "whatsapp", "pin": pin.get_secret_value()}
        if backup is not None:
            body["backup"] = {
                "data": backup.data.get_secret_value(),
                "password": backup.password.get_secret_value(),
            }
        async with self._fresh() as http:
            await self._write(f"{_path(phone_number_id)}/register", body, send_by=send_by, http=http, timeout=REGISTER)

    async def deregister(self, phone_number_id: str, *, send_by: float) -> None:
        """Take the number off Cloud. Acts on Cloud only."""
        async with self._fresh() as http:
            await self._write(f"{_path(phone_number_id)}/deregister", {}, send_by=send_by, http=http)

    async def request_code(self, phone_number_id: str, method: str, language: str, *, send_by: float) -> None:
        body = {"code_method": method, "language": language}
        await self._write(f"{_path(phone_number_id)}/request_code", body, send_by=send_by)

    async def verify_code(self, phone_number_id: str, code: SecretStr, *, send_by: float) -> None:
        body = {"code": code.get_secret_value()}
        await self._write(f"{_path(phone_number_id)}/verify_code", body, send_by=send_by)

    async def set_pin(self, phone_number_id: str, pin: SecretStr, *, send_by: float) -> None:
        """Sets or replaces the two-step PIN; the old one is not asked for."""
        await self._write(_path(phone_number_id), {"pin": pin.get_secret_value()}, send_by=send_by)

    async def subscribe(self, waba_id: str, *, send_by: float) -> None:
        """Never called where the app is subscribed already: this bare form removes an override."""
        await self._write(f"{_path(waba_id)}/subscribed_apps", {}, send_by=send_by)

    async def set_storage(self, phone_number_id: str, region: str, *, send_by: float) -> None:
        body = {
            "storage_configuration": {
                "status": "IN_COUNTRY_STORAGE_ENABLED",
                "data_localization_region": region,
            }
        }
        await self._write(f"{_path(phone_number_id)}/settings", body, send_by=send_by)

    async def send_template(
        self, phone_number_id: str, to: str, template: str, language: str, correlation: str, *, send_by: float
    ) -> str:
        """Send an approved template without parameters; returns the message id (wamid)."""
        body = {
            "messaging_product": "whatsapp",
            "to": to.lstrip("+"),
            "type": "template",
            "template": {"name": template, "language": {"code": language}},
            "biz_opaque_callback_data": correlation,
        }
        answer = await self._write(
            f"{_path(phone_number_id)}/messages", body, send_by=send_by, succeeds_with="messages"
        )
        try:
            return str(answer["messages"][0]["id"])
        except (LookupError, TypeError) as exc:
            raise OutcomeUnknown("POST /messages: answered without a message id") from exc

    async def set_profile(self, phone_number_id: str, changes: Mapping[str, Any], *, send_by: float) -> None:
        body = {"messaging_product": "whatsapp", **changes}
        await self._write(f"{_path(phone_number_id)}/whatsapp_business_profile", body, send_by=send_by)

    # -- the wire

    async def _read(self, path: str, **asked: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(
                self._base + path, params={**asked, **self._proof()}, headers=self._headers(), timeout=ORDINARY
            )
        except httpx.TransportError as exc:
            raise Transient(f"GET {path}: no answer ({type(exc).__name__})") from exc
        body = _json(answer)
        if isinstance(body, dict) and "error" not in body and answer.is_success:
            return body
        raise graph_error(f"GET {path}", answer, body, write=False)

    async def _write(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        send_by: float,
        http: httpx.AsyncClient | None = None,
        timeout: httpx.Timeout = ORDINARY,
        succeeds_with: str = "success",
    ) -> dict[str, Any]:
        call = f"POST {path}"
        try:
            answer = await (http or self._http).post(
                self._base + path,
                params=self._proof(),
                json=dict(body),
                headers=self._headers(),
                timeout=timeout,
                extensions={SEND_BY: send_by},
            )
        except NEVER_LEFT as exc:
            raise Transient(f"{call}: never left ({type(exc).__name__})") from exc
        except httpx.TransportError as exc:
            raise OutcomeUnknown(f"{call}: no answer ({type(exc).__name__})") from exc
        told = _json(answer)
        if not isinstance(told, dict) or "error" in told or not answer.is_success:
            raise graph_error(call, answer, told, write=True)
        if succeeds_with == "success":
            _must_say_success(call, told)
        elif succeeds_with not in told:
            raise OutcomeUnknown(f"{call}: answered without `{succeeds_with}`")
        return told

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    def _proof(self) -> dict[str, str]:
        """https://developers.facebook.com/docs/graph-api/guides/secure-requests (HMAC-SHA256 of the token)."""
        if self._app_secret is None:
            return {}
        key, said = self._app_secret.get_secret_value(), self._token.get_secret_value()
        return {"appsecret_proof": hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()}


def _must_say_success(call: str, told: Mapping[str, Any]) -> None:
    """Older pages show the text "true", newer ones the boolean."""
    said = told.get("success")
    if said is True or str(said).lower() == "true":
        return
    if said is False or str(said).lower() == "false":
        raise Rejected(f"{call}: answered success=false", None, "answered success=false")
    raise OutcomeUnknown(f"{call}: answered without `success`")


def _health(told: Mapping[str, Any]) -> Health:
    entities = [one for one in told.get("entities", []) if one.get("can_send_message") is not None]
    worst = {"AVAILABLE": 0, "LIMITED": 1, "BLOCKED": 2}
    messaging = max(
        (str(one["can_send_message"]) for one in entities),
        key=lambda word: worst.get(word, 2),
        default=str(told.get("can_send_message", "UNKNOWN")),
    )
    why = [
        f"{one.get('entity_type')}: {error.get('error_description')}"
        for one in entities
        for error in one.get("errors", [])
    ]
    return Health(messaging=messaging, why="; ".join(why) or "no reason given")


def _path(node: str) -> str:
    return "/" + quote(node, safe="")


def _as(kind: type[M], told: Any) -> M:
    """An answer as what it should be; one that is something else is no answer, and is asked for again."""
    try:
        return kind.model_validate(told)
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors()[0]["loc"]) or "it"
        raise Transient(f"Graph's {kind.__name__} cannot be read: {where}", True) from None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
