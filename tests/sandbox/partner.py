"""A partner's hands on the sandbox: plain httpx through the transport, and nothing of the product's own clients."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Delivery
from sandbox.world.world import WorldKind

BASE = "http://sandbox"


@dataclass
class Clock:
    at: datetime = datetime(2025, 9, 1, 20, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


@dataclass
class Far:
    """One number of a sandbox is in view at a time; the first one at the beginning."""

    sandbox: Sandbox
    clock: Clock
    at: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *kinds: str,
        world: WorldKind = "closing",
        seed: int = 7,
        clock: Clock | None = None,
        **switches: Any,
    ) -> "Far":
        clock = clock or Clock()
        chosen: Sequence[str] = kinds or ("healthy",)
        made = Sandbox.build(
            numbers=len(chosen), seed=seed, world=world, now=clock.now, switches=switches, kinds=chosen
        )
        return cls(made, clock)

    @classmethod
    def told(cls, row: str) -> "Far":
        """A fleet of one row, as a scenario writes it."""
        clock = Clock()
        return cls(Sandbox.from_scenario(read(f"numbers: [{row}]"), now=clock.now), clock)

    def __post_init__(self) -> None:
        self.manifest = self.sandbox.manifest(BASE)
        self.client = httpx.AsyncClient(transport=self.sandbox.transport(), base_url=BASE, timeout=60)

    @property
    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = self.manifest["numbers"][self.at]
        return row

    @property
    def e164(self) -> str:
        return str(self.row["e164"])

    @property
    def number(self) -> SimNumber:
        return self.sandbox.world.number(self.e164)

    # -- Graph

    async def graph(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.manifest['token']}"} | how.pop("headers", {})
        return await self.client.request(method, f"/v25.0/{path}", headers=headers, **how)

    async def phone(self, method: str, edge: str = "", **how: Any) -> httpx.Response:
        path = f"{self.row['phone_number_id']}/{edge}" if edge else self.row["phone_number_id"]
        return await self.graph(method, path, **how)

    async def waba(self, method: str, edge: str = "", **how: Any) -> httpx.Response:
        path = f"{self.row['waba_id']}/{edge}" if edge else self.row["waba_id"]
        return await self.graph(method, path, **how)

    async def shows(self, *names: str) -> list[Any]:
        """Fields of the number as Graph shows them."""
        answer = (await self.phone("GET", params={"fields": ",".join(names)})).json()
        return [answer.get(name) for name in names]

    async def register(self, pin: str | None = None, backup: dict[str, str] | None = None) -> httpx.Response:
        body: dict[str, Any] = {"messaging_product": "whatsapp", "pin": pin or self.row["pin"] or "246810"}
        if backup is not None:
            body["backup"] = backup
        return await self.phone("POST", "register", json=body)

    async def verify(self) -> None:
        """Ask for a code, read it, send it."""
        assert (await self.phone("POST", "request_code", json=CODE)).status_code == 200
        digits = self.sandbox.sms(self.e164)[-1]
        assert (await self.phone("POST", "verify_code", json={"code": digits})).status_code == 200

    # -- On-Premises

    async def login(self, password: str | None = None, **how: Any) -> httpx.Response:
        auth = (self.row["username"], password or self.row["password"])
        return await self.client.post(f"{self.row['onprem_url']}/v1/users/login", auth=auth, **how)

    async def onprem(self, method: str, path: str, **how: Any) -> httpx.Response:
        if self.e164 not in self.tokens:
            self.tokens[self.e164] = (await self.login()).json()["users"][0]["token"]
        headers = {"Authorization": f"Bearer {self.tokens[self.e164]}"}
        return await self.client.request(method, f"{self.row['onprem_url']}/v1/{path}", headers=headers, **how)

    async def health(self) -> str:
        return str((await self.onprem("GET", "health")).json()["health"]["gateway_status"])

    async def backup(self, password: str = "words") -> dict[str, str]:
        answer = await self.onprem("POST", "settings/backup", json={"password": password})
        return {"data": answer.json()["settings"]["data"], "password": password}

    # -- the partner's own systems

    async def hook(
        self, event: str, epoch: int = 1, key: str | None = None, secret: str | None = None, **more: Any
    ) -> httpx.Response:
        told = {"event": event, "migration_id": "m-1", "e164": self.e164, "epoch": epoch, "deadline": None}
        body = json.dumps(told | more).encode()
        secret = secret or self.manifest["hook_secret"]
        headers = {
            "Idempotency-Key": f"m-1:{event}:{epoch}" if key is None else key,
            "X-Cutover-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        return await self.client.post(self.manifest["hook_url"], content=body, headers=headers)

    async def oracle(self, method: str, path: str, **how: Any) -> Any:
        return (await self.client.request(method, f"/_sandbox/{path}", **how)).json()


CODE = {"code_method": "SMS", "language": "en"}


def code_of(answer: httpx.Response) -> int | None:
    """The code of a refusal by either API; None where it was none."""
    told = answer.json() or {}
    if "error" in told:
        return int(told["error"]["code"])
    return int(told["errors"][0]["code"]) if "errors" in told else None


def taking(heard: list[Delivery], status: int = 200) -> Callable[[Delivery], int]:
    """A receiver that keeps what it is sent."""

    def take(delivery: Delivery) -> int:
        heard.append(delivery)
        return status

    return take
