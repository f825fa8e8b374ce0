"""One On-Premises instance: one method per call, named after what it does.

https://developers.facebook.com/docs/whatsapp/on-premises/reference (per method)
"""

from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.carried_profile import carried_profile
from migration.clients.graph_models import Profile
from migration.clients.http import BACKUP_TIMEOUT, READING_TIMEOUT
from migration.clients.onprem_http import OnPremHttp
from migration.clients.onprem_login import LoginSession, OnPremLogin
from migration.clients.onprem_parsing import callback_queue_size, expiry, gateway_connected
from migration.clients.onprem_reading import OnPremReading, Reading, connection_refused
from migration.errors import MigrationError, Transient


class OnPremApi:
    """`instance` is the name that messages show. `send_by` is in seconds on the boot-time clock.

    Reads raise Transient, Rejected or CredentialsRefused; writes raise OutcomeUnknown too.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        username: str,
        password: SecretStr,
        session: LoginSession,
        instance: str,
    ) -> None:
        self._login = OnPremLogin(client, base_url, username, password, session, instance)
        self._http = OnPremHttp(client, base_url, self._login, instance)
        self._instance = instance

    # -- reading

    async def reading(self) -> OnPremReading:
        """What the instance's health, or its missing response, shows. Raises nothing; a refusal is read twice."""
        first = await self._read()
        if first.kind is Reading.REFUSED:
            return await self._read()
        return first

    async def _read(self) -> OnPremReading:
        try:
            connected, detail = gateway_connected(await self.health())
            if connected is None:
                return OnPremReading(Reading.UNREACHABLE, detail)
            if not connected:
                return OnPremReading(Reading.NOT_SERVING, detail)
            return OnPremReading(Reading.SERVING, detail, await self._expiry())
        except Transient as exc:
            refused = connection_refused(exc.__cause__)
            return OnPremReading(Reading.REFUSED if refused else Reading.UNREACHABLE, str(exc))
        except MigrationError as exc:
            return OnPremReading(Reading.UNREACHABLE, str(exc))

    async def _expiry(self) -> datetime | None:
        """https://developers.facebook.com/docs/whatsapp/api/support (expiry, topology, space)"""
        try:
            return expiry(await self._http.get("/v1/support", timeout=READING_TIMEOUT))
        except MigrationError:
            return None

    async def login(self) -> None:
        """Log in now, to prove that the instance accepts the password."""
        await self._login.log_in()

    async def health(self) -> dict[str, Any]:
        return await self._http.get("/v1/health", timeout=READING_TIMEOUT)

    async def profile(self) -> Profile:
        business = await self._http.get("/v1/settings/business/profile")
        about = await self._http.get("/v1/settings/profile/about")
        return carried_profile(business, about)

    async def callback_queue(self) -> int:
        """How many callbacks wait for delivery, over all nodes."""
        return callback_queue_size(await self._http.get("/v1/stats/app"))

    async def backup(self, password: SecretStr) -> SecretStr:
        """The settings backup, bound to `password`. Changes nothing at the instance, so it needs no `send_by`.

        https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
        """
        body = {"password": password.get_secret_value()}
        response = await self._http.post("/v1/settings/backup", body, send_by=None, timeout=BACKUP_TIMEOUT)
        data = (response.body.get("settings") or {}).get("data")
        if not isinstance(data, SecretStr) or not data:
            raise Transient(f"{self._instance}: the backup came back empty", True)
        return data

    # -- writing

    async def set_two_step(self, pin: SecretStr, *, send_by: float) -> None:
        """Set or replace the PIN; the call does not need the old one."""
        body = {"pin": pin.get_secret_value()}
        await self._http.post("/v1/settings/account/two-step", body, send_by=send_by)

    async def restore(self, data: SecretStr, password: SecretStr, *, send_by: float) -> None:
        body = {"data": data.get_secret_value(), "password": password.get_secret_value()}
        await self._http.post("/v1/settings/restore", body, send_by=send_by, timeout=BACKUP_TIMEOUT)

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
        response = await self._http.post("/v1/account", body, send_by=send_by)
        return response.status_code == 201

    async def verify_code(self, code: SecretStr, *, send_by: float) -> None:
        await self._http.post("/v1/account/verify", {"code": code.get_secret_value()}, send_by=send_by)
