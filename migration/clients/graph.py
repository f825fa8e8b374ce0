"""Cloud API through Graph: one method per call, named after what it does to the number.

https://developers.facebook.com/documentation/business-messaging/whatsapp (fields and paths: each method)
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from pydantic import SecretStr

from migration.clients.figures import count, text
from migration.clients.graph_details import DETAIL_FIELDS, NumberDetails
from migration.clients.graph_errors import is_not_visible
from migration.clients.graph_http import UNKNOWN_FIELD, GraphHttp
from migration.clients.graph_listing import read_all
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
)
from migration.clients.graph_parsing import parse, parse_health, parse_rows, parse_subscribed_app
from migration.clients.http import READ_S, REGISTER_S, HttpClient
from migration.clients.json_values import inside
from migration.clients.profile_picture import Picture
from migration.clients.rate_budget import GraphCalls
from migration.errors import CredentialsRefused, OutcomeUnknown, Rejected, Transient

PAGE = "100"  # the most rows that phone_numbers returns at once

LIMIT = "whatsapp_business_manager_messaging_limit"


class GraphApi:
    """One credential profile's access to Graph. `base` includes the version: `https://graph.facebook.com/v25.0`.

    Reads raise Transient or Rejected; writes raise OutcomeUnknown too. `send_by` is in seconds on the boot-time clock.
    """

    def __init__(
        self,
        client: HttpClient,
        new_client: Callable[[], HttpClient],
        base: str,
        token: SecretStr,
        app_secret: SecretStr | None = None,
        calls: GraphCalls | None = None,
    ) -> None:
        self._http = GraphHttp(client, new_client, base, token, app_secret, calls)
        self._client, self._new_client, self._base = client, new_client, base
        self._token, self._app_secret = token, app_secret

    def counted_by(self, calls: GraphCalls) -> "GraphApi":
        """The same access, whose calls count for `calls`."""
        return GraphApi(self._client, self._new_client, self._base, self._token, self._app_secret, calls)

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes that every holder of the app secret (without one, of the token) can compute, and nobody else."""
        key = (self._app_secret or self._token).get_secret_value().encode()
        return hmac.digest(key, purpose.encode(), "sha256")

    # -- reading

    async def number(self, phone_number_id: str) -> CloudNumber:
        """Raises CredentialsRefused where the token may not see its WABA either: then the number is as it should be."""
        by = self._http.within(READ_S)
        try:
            body = await self._http.get(_path(phone_number_id), by=by, fields=NUMBER_FIELDS)
        except Rejected as exc:
            if is_not_visible(exc):
                await self._check_sees_waba(by)
            raise
        return parse(CloudNumber, body)

    async def _check_sees_waba(self, by: float) -> None:
        waba_id = self._http.calls.waba_id if self._http.calls is not None else None
        if waba_id is None:
            return
        try:
            await self._http.get(_path(waba_id), by=by, fields="id")
        except Rejected as exc:
            if not is_not_visible(exc):
                raise
            message = f"the token may not see WABA {waba_id}: {exc.details}"
            code, subcode = exc.error_code, exc.error_subcode
            raise CredentialsRefused(message, code, exc.details, subcode, None, exc.trace_id, "graph") from None

    async def numbers(self, waba_id: str) -> tuple[CloudNumber, ...]:
        """All numbers of a WABA. A row without an id is left out; whoever looks for it reads the number's own node."""
        path = f"{_path(waba_id)}/phone_numbers"
        numbers = parse_rows(CloudNumber, await read_all(self._http, path, fields=NUMBER_FIELDS, limit=PAGE))
        if self._http.calls is not None:
            await self._http.calls.saw_numbers(waba_id, any_on_cloud=any(number.registered for number in numbers))
        return numbers

    async def certificate(self, phone_number_id: str) -> str:
        """The verified-name certificate that an On-Premises registration needs; empty where there is none."""
        body = await self._http.get(_path(phone_number_id), fields="certificate")
        return text(body.get("certificate")) or ""

    async def subscribed_apps(self, waba_id: str) -> tuple[SubscribedApp, ...]:
        """A row that cannot be read has an empty `app_id`: it may be any app."""
        rows = await read_all(self._http, f"{_path(waba_id)}/subscribed_apps")
        return tuple(parse_subscribed_app(row) for row in rows)

    async def settings(self, phone_number_id: str) -> StorageSettings:
        body = await self._http.get(f"{_path(phone_number_id)}/settings")
        return parse(StorageSettings, body.get("storage_configuration") or {})

    async def profile(self, phone_number_id: str) -> Profile:
        path = f"{_path(phone_number_id)}/whatsapp_business_profile"
        body = await self._http.get(path, fields=",".join(PROFILE_FIELDS))
        return parse(Profile, inside(body.get("data"), 0) or {})

    async def details(self, phone_number_id: str) -> NumberDetails:
        """Standing, limits and route of a number."""
        return parse(NumberDetails, await self._http.get(_path(phone_number_id), fields=DETAIL_FIELDS))

    async def details_of_all(self, waba_id: str) -> tuple[NumberDetails, ...]:
        """The same of all numbers of a WABA, 100 a call."""
        path = f"{_path(waba_id)}/phone_numbers"
        return parse_rows(NumberDetails, await read_all(self._http, path, fields=DETAIL_FIELDS, limit=PAGE))

    async def approved_templates(self, waba_id: str) -> int | None:
        """How many templates of a WABA are approved, with one call; None where Graph does not count them.

        https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates/
        """
        path = f"{_path(waba_id)}/message_templates"
        body = await self._http.get(path, limit="1", status="APPROVED", summary="total_count")
        return count(inside(body, "summary", "total_count"))

    async def health(self, phone_number_id: str) -> Health:
        """With the messaging limit, where this version of Graph has that field; one that has not refuses the call."""
        by = self._http.within(READ_S)
        try:
            body = await self._http.get(_path(phone_number_id), by=by, fields=f"health_status,{LIMIT}")
        except Rejected as exc:
            if exc.error_code != UNKNOWN_FIELD:
                raise
            body = await self._http.get(_path(phone_number_id), by=by, fields="health_status")
        health = parse_health(body.get("health_status"))
        return health.model_copy(update={"limit": text(body.get(LIMIT))})

    async def debug_token(self) -> TokenFacts:
        """The app, scopes and expiry of our own token."""
        body = await self._http.get("/debug_token", input_token=self._token.get_secret_value())
        return parse(TokenFacts, body.get("data") or {})

    # -- writing

    def connect_ahead(self) -> None:
        """Open the connection of `register` in the background, beside the commit of its intent."""
        self._http.connect_ahead()

    async def register(self, phone_number_id: str, pin: SecretStr, backup: Backup | None, *, send_by: float) -> None:
        """Register on Cloud; with a backup this also takes the number off On-Premises.

        Uses a new connection: the server may have closed an idle one, and then the outcome would be unknown.
        """
        body: dict[str, Any] = {"messaging_product": "whatsapp", "pin": pin.get_secret_value()}
        if backup is not None:
            body["backup"] = {
                "data": backup.data.get_secret_value(),
                "password": backup.password.get_secret_value(),
            }
        path = f"{_path(phone_number_id)}/register"
        await self._http.post(path, body, send_by=send_by, seconds=REGISTER_S, new_connection=True)

    async def deregister(self, phone_number_id: str, *, send_by: float) -> None:
        """Take the number off Cloud. Acts on Cloud only. Uses a new connection, as `register` does."""
        await self._http.post(f"{_path(phone_number_id)}/deregister", {}, send_by=send_by, new_connection=True)

    async def request_code(self, phone_number_id: str, method: str, language: str, *, send_by: float) -> None:
        body = {"code_method": method, "language": language}
        await self._http.post(f"{_path(phone_number_id)}/request_code", body, send_by=send_by)

    async def verify_code(self, phone_number_id: str, code: SecretStr, *, send_by: float) -> None:
        body = {"code": code.get_secret_value()}
        await self._http.post(f"{_path(phone_number_id)}/verify_code", body, send_by=send_by)

    async def set_pin(self, phone_number_id: str, pin: SecretStr, *, send_by: float) -> None:
        """Set or replace the two-step PIN; the call does not need the old one."""
        await self._http.post(_path(phone_number_id), {"pin": pin.get_secret_value()}, send_by=send_by)

    async def subscribe(self, waba_id: str, *, send_by: float) -> None:
        """Never called where the app is subscribed already: this call without a body removes an override."""
        await self._http.post(f"{_path(waba_id)}/subscribed_apps", {}, send_by=send_by)

    async def set_storage(self, phone_number_id: str, region: str, *, send_by: float) -> None:
        body = {
            "storage_configuration": {
                "status": "IN_COUNTRY_STORAGE_ENABLED",
                "data_localization_region": region,
            }
        }
        await self._http.post(f"{_path(phone_number_id)}/settings", body, send_by=send_by)

    async def send_template(
        self, phone_number_id: str, to: str, template: str, language: str, correlation: str, *, send_by: float
    ) -> str:
        """Send an approved template without parameters. Returns the message id (wamid)."""
        content = {"type": "template", "template": {"name": template, "language": {"code": language}}}
        return await self._send_message(phone_number_id, to, content, correlation, send_by=send_by)

    async def send_text(self, phone_number_id: str, to: str, text: str, correlation: str, *, send_by: float) -> str:
        """Send a text, which is delivered only within 24 h of the recipient's last message. Returns as above."""
        content = {"type": "text", "text": {"body": text}}
        return await self._send_message(phone_number_id, to, content, correlation, send_by=send_by)

    async def _send_message(
        self, phone_number_id: str, to: str, content: Mapping[str, Any], correlation: str, *, send_by: float
    ) -> str:
        body = {
            "messaging_product": "whatsapp",
            "to": to,  # with its plus: without it Meta may add a country code in front
            **content,
            "biz_opaque_callback_data": correlation,
        }
        path = f"{_path(phone_number_id)}/messages"
        response = await self._http.post(path, body, send_by=send_by, required=None)
        # Meta's guide for partners has the short form.
        wamid = text(inside(response, "messages", 0, "id")) or text(response.get("id"))
        if wamid is None:
            raise OutcomeUnknown("POST /messages: answered without a message id")
        return wamid

    async def upload_picture(self, app_id: str, picture: Picture, *, send_by: float) -> str:
        """Two calls, which change nothing that anybody sees. Returns the handle for `set_profile`.

        Raises Transient where it is not known whether the bytes arrived: they can be sent again.
        https://developers.facebook.com/docs/graph-api/guides/upload
        """
        named = {"file_name": "picture", "file_length": str(len(picture.content)), "file_type": picture.kind}
        try:
            begun = await self._http.post(f"{_path(app_id)}/uploads", named, send_by=send_by, required="id")
            # `upload:...?sig=...`: the signature is a parameter.
            session, _, query = (text(begun["id"]) or "").partition("?")
            path = f"/{quote(session, safe=':')}"
            done = await self._http.post(
                path, {}, send_by=send_by, required="h", query=dict(parse_qsl(query)), content=picture.content
            )
        except OutcomeUnknown as exc:
            raise Transient(str(exc), True) from exc
        handle = text(done["h"])
        if not handle:
            raise Transient("POST upload: answered without a handle", True)
        return handle

    async def set_profile(self, phone_number_id: str, changes: Mapping[str, Any], *, send_by: float) -> None:
        body = {"messaging_product": "whatsapp", **changes}
        await self._http.post(f"{_path(phone_number_id)}/whatsapp_business_profile", body, send_by=send_by)


def _path(node: str) -> str:
    return "/" + quote(node, safe="")
