"""One On-Premises instance: one method per call, named after what it does.

https://developers.facebook.com/docs/whatsapp/on-premises/reference (per method)
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from migration.clients.bodies import MOST_BACKUP_BYTES
from migration.clients.carried_profile import carried_profile
from migration.clients.client_record import ClientRecord, settings_of
from migration.clients.graph_models import Profile
from migration.clients.http import BACKUP_S, READ_S, READING_S, WRITE_S, HttpClient
from migration.clients.json_values import inside
from migration.clients.onprem_http import OnPremHttp
from migration.clients.onprem_login import LoginSession, OnPremLogin
from migration.clients.onprem_parsing import (
    CallbackQueue,
    callback_queue,
    contradicts_health,
    expiry,
    gateway_connected,
    registered_numbers,
    sending_time,
)
from migration.clients.onprem_reading import OnPremReading, Reading, connection_refused
from migration.clients.profile_picture import MOST_PICTURE_BYTES, Picture, picture_of
from migration.errors import MigrationError, Rejected, Transient
from migration.runtime.concurrency import both_of
from migration.scrubbing.masking import masked
from state.phone_spelling import is_another_number

# "Not found": https://developers.facebook.com/docs/whatsapp/api/errors
NO_PICTURE = (1006, 404)


class OnPremApi:
    """`instance` is the name that messages show, `e164` the number that it serves by the inventory.

    `is_ours` says whether a number is one of this home; None: the client may be registered for any number. `send_by`
    is in seconds on the boot-time clock.

    Reads raise Transient, Rejected or CredentialsRefused; writes raise OutcomeUnknown too.
    """

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        username: str,
        password: SecretStr,
        session: LoginSession,
        instance: str,
        e164: str = "",
        is_ours: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self._login = OnPremLogin(client, base_url, username, password, session, instance)
        self._http = OnPremHttp(client, base_url, self._login, instance)
        self._instance = instance
        self._e164, self._is_ours = e164, is_ours
        self._session = session

    # -- reading

    async def reading(self) -> OnPremReading:
        """What the instance's health, or its missing response, shows. Raises nothing; a refusal is read twice."""
        by = self._http.within(READ_S)
        first = await self._read(by)
        if first.kind is Reading.REFUSED:
            return await self._read(by)
        return first

    async def _read(self, by: float) -> OnPremReading:
        try:
            health = await self._http.get("/v1/health", by=min(by, self._http.within(READING_S)))
            connected, detail = gateway_connected(health)
            # A client that does not serve is asked too, once: one of another number says nothing about this one either.
            stopped = connected is False
            support = {} if stopped and self._session.named is not None else await self._support(by)
            if support:
                self._session.named = registered_numbers(support)
            registered = (self._session.named or frozenset()) if stopped else registered_numbers(support)
            other = await self._of_another(registered)
            if other is not None:
                return OnPremReading(Reading.UNREACHABLE, other, of_another=True)
            if connected is None:
                return OnPremReading(Reading.UNREACHABLE, detail)
            if not connected:
                return OnPremReading(Reading.NOT_SERVING, detail, names_a_number=bool(registered))
            if (contradiction := contradicts_health(support)) is not None:
                return OnPremReading(Reading.UNREACHABLE, f"{detail}, {contradiction}")
            expires = expiry(support)
            return OnPremReading(Reading.SERVING, detail, expires.at, expires.readable)
        except Transient as exc:
            refused = connection_refused(exc.__cause__)
            return OnPremReading(Reading.REFUSED if refused else Reading.UNREACHABLE, str(exc))
        except MigrationError as exc:
            return OnPremReading(Reading.UNREACHABLE, str(exc))

    async def _support(self, by: float) -> Mapping[str, Any]:
        """https://developers.facebook.com/docs/whatsapp/api/support (number, expiry, topology, space)"""
        try:
            return await self._http.get("/v1/support", by=min(by, self._http.within(READING_S)))
        except MigrationError:
            return {}

    async def _of_another(self, registered: Iterable[str]) -> str | None:
        """In words, that it serves another number of this home: in an inventory two rows were exchanged.

        A number that is not of this home may be this one, in a form that we do not know.
        """
        if self._is_ours is None:
            return None
        for digits in sorted("".join(filter(str.isdigit, one)) for one in registered):
            if is_another_number(self._e164, digits) and await self._is_ours(f"+{digits}"):
                return f"it is registered for {masked(f'+{digits}')}, which is another number"
        return None

    async def login(self) -> None:
        """Log in now, to prove that the instance accepts the password."""
        await self._login.log_in(self._http.within(READING_S))

    async def health(self) -> dict[str, Any]:
        return await self._http.get("/v1/health", by=self._http.within(READING_S))

    async def profile(self) -> Profile:
        by = self._http.within(READ_S)
        business = await self._http.get("/v1/settings/business/profile", by=by)
        about = await self._http.get("/v1/settings/profile/about", by=by)
        return carried_profile(business, about)

    async def record(self) -> ClientRecord:
        """Its picture and its settings. Raises nothing: what cannot be read is named, with the reason."""
        by = self._http.within(READ_S)
        picture, settings = await both_of(self._picture(by), self._settings(by))
        unread = {"picture": picture} if isinstance(picture, str) else {}
        if isinstance(settings, str):
            unread["settings"] = settings
        webhook, kept = settings_of(settings) if not isinstance(settings, str) else (None, {})
        return ClientRecord(picture if isinstance(picture, Picture) else None, webhook, kept, unread)

    async def _picture(self, by: float) -> Picture | str | None:
        """Or why it cannot be read. https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings"""
        try:
            content = await self._http.get_bytes("/v1/settings/profile/photo", by=by, most=MOST_PICTURE_BYTES)
        except Rejected as exc:
            return None if exc.error_code in NO_PICTURE or exc.details == "HTTP 404" else str(exc)
        except MigrationError as exc:
            return str(exc)
        return (picture_of(content) or "it is neither JPEG nor PNG") if content else None

    async def _settings(self, by: float) -> Any:
        """Or, as a text, why they cannot be read."""
        try:
            body = await self._http.get("/v1/settings/application", by=by)
        except MigrationError as exc:
            return str(exc)
        return inside(body, "settings", "application")

    async def callback_queue(self) -> CallbackQueue:
        """How many callbacks wait for delivery, and how many were sent."""
        return callback_queue(await self._http.get("/v1/stats/app", by=self._http.within(READ_S)))

    async def message_calls(self) -> float | None:
        """A figure that grows with every call of a program that sends; None where the client does not tell."""
        return sending_time(await self._http.get_any("/metrics", by=self._http.within(READ_S)))

    async def backup(self, password: SecretStr) -> SecretStr:
        """The settings backup, bound to `password`. Changes nothing at the instance, so it needs no `send_by`.

        https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
        """
        body = {"password": password.get_secret_value()}
        by = self._http.within(BACKUP_S)
        response = await self._http.post("/v1/settings/backup", body, send_by=None, by=by, most=MOST_BACKUP_BYTES)
        data = inside(response.body, "settings", "data")
        plain = data.get_secret_value() if isinstance(data, SecretStr) else ""
        if not plain:
            raise Transient(f"{self._instance}: the backup came back empty", True)
        if not plain.isascii() or not plain.isprintable():
            raise Transient(f"{self._instance}: the backup came back damaged", True)
        return SecretStr(plain)

    # -- writing

    async def set_two_step(self, pin: SecretStr, *, send_by: float) -> None:
        """Set or replace the PIN; the call does not need the old one."""
        body = {"pin": pin.get_secret_value()}
        await self._http.post("/v1/settings/account/two-step", body, send_by=send_by, by=self._http.within(WRITE_S))

    async def restore(self, data: SecretStr, password: SecretStr, *, send_by: float) -> None:
        body = {"data": data.get_secret_value(), "password": password.get_secret_value()}
        await self._http.post("/v1/settings/restore", body, send_by=send_by, by=self._http.within(BACKUP_S))

    async def request_code(
        self,
        country_code: str,
        national_number: str,
        method: str,
        certificate: str,
        pin: SecretStr | None,
        *,
        send_by: float,
    ) -> bool:
        """Ask to register the client. True: it is registered already; False: a code was sent.

        https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
        """
        body = {"cc": country_code, "phone_number": national_number, "method": method.lower(), "cert": certificate}
        if pin is not None:
            body["pin"] = pin.get_secret_value()
        response = await self._http.post("/v1/account", body, send_by=send_by, by=self._http.within(WRITE_S))
        return response.status_code == 201

    async def verify_code(self, code: SecretStr, *, send_by: float) -> None:
        body = {"code": code.get_secret_value()}
        await self._http.post("/v1/account/verify", body, send_by=send_by, by=self._http.within(WRITE_S))
