"""A partner's systems: they call a sandbox in this process with plain httpx, and use none of the product's clients."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import parse_scenario
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Delivery
from sandbox.world.world import WorldKind

BASE = "http://sandbox"
# The body of a call of `request_code`.
CODE_REQUEST = {"code_method": "SMS", "language": "en"}


@dataclass
class Clock:
    """Stands still until a test advances it."""

    time: datetime = datetime(2025, 9, 1, 20, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, **duration: float) -> None:
        """`duration` as `timedelta` takes it: `seconds=5`, `days=1`."""
        self.time += timedelta(**duration)


@dataclass
class Partner:
    """`selected` is the position in the manifest of the number that calls are about; the first one at the start."""

    sandbox: Sandbox
    clock: Clock
    selected: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *kinds: str,
        world: WorldKind = "closing",
        seed: int = 7,
        clock: Clock | None = None,
        **switches: Any,
    ) -> "Partner":
        """A fleet with one number of each kind; one healthy number if no kind is given."""
        clock = clock or Clock()
        chosen: Sequence[str] = kinds or ("healthy",)
        sandbox = Sandbox.build(
            numbers=len(chosen), seed=seed, world=world, now=clock.now, switches=switches, kinds=chosen
        )
        return cls(sandbox, clock)

    @classmethod
    def from_row(cls, row: str) -> "Partner":
        """A fleet of one row of a scenario file."""
        return cls.from_scenario(f"numbers: [{row}]")

    @classmethod
    def from_scenario(cls, text: str) -> "Partner":
        """A fleet from the text of a scenario file."""
        clock = Clock()
        return cls(Sandbox.from_scenario(parse_scenario(text), now=clock.now), clock)

    def __post_init__(self) -> None:
        self.manifest = self.sandbox.manifest(BASE)
        self.client = httpx.AsyncClient(transport=self.sandbox.transport(), base_url=BASE, timeout=60)

    @property
    def row(self) -> dict[str, Any]:
        """The selected number's row of the manifest."""
        row: dict[str, Any] = self.manifest["numbers"][self.selected]
        return row

    @property
    def e164(self) -> str:
        return str(self.row["e164"])

    @property
    def number(self) -> SimNumber:
        return self.sandbox.world.number(self.e164)

    # -- Graph

    async def graph(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.manifest['token']}"} | options.pop("headers", {})
        return await self.client.request(method, f"/v25.0/{path}", headers=headers, **options)

    async def phone(self, method: str, edge: str = "", **options: Any) -> httpx.Response:
        """A call on the selected number's node."""
        path = f"{self.row['phone_number_id']}/{edge}" if edge else self.row["phone_number_id"]
        return await self.graph(method, path, **options)

    async def waba(self, method: str, edge: str = "", **options: Any) -> httpx.Response:
        """A call on the node of the selected number's WABA."""
        path = f"{self.row['waba_id']}/{edge}" if edge else self.row["waba_id"]
        return await self.graph(method, path, **options)

    async def read_fields(self, *names: str) -> list[Any]:
        """The values of these fields of the number on Graph; None for a field that is absent."""
        body = (await self.phone("GET", params={"fields": ",".join(names)})).json()
        return [body.get(name) for name in names]

    async def register(self, pin: str | None = None, backup: dict[str, str] | None = None) -> httpx.Response:
        body: dict[str, Any] = {"messaging_product": "whatsapp", "pin": pin or self.row["pin"] or "246810"}
        if backup is not None:
            body["backup"] = backup
        return await self.phone("POST", "register", json=body)

    async def verify(self) -> None:
        """Request a code, read it from the phone, and verify it."""
        assert (await self.phone("POST", "request_code", json=CODE_REQUEST)).status_code == 200
        code = self.sandbox.sms(self.e164)[-1]
        assert (await self.phone("POST", "verify_code", json={"code": code})).status_code == 200

    # -- On-Premises

    async def login(self, password: str | None = None, **options: Any) -> httpx.Response:
        auth = (self.row["username"], password or self.row["password"])
        return await self.client.post(f"{self.row['onprem_url']}/v1/users/login", auth=auth, **options)

    async def onprem(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the selected number's client; logs in before the first one."""
        if self.e164 not in self.tokens:
            self.tokens[self.e164] = (await self.login()).json()["users"][0]["token"]
        headers = {"Authorization": f"Bearer {self.tokens[self.e164]}"}
        return await self.client.request(method, f"{self.row['onprem_url']}/v1/{path}", headers=headers, **options)

    async def gateway_status(self) -> str:
        return str((await self.onprem("GET", "health")).json()["health"]["gateway_status"])

    async def callback_queue_size(self) -> int:
        stats = (await self.onprem("GET", "stats/app")).json()["stats"]["app"]
        return int(stats["callback_queue_size"]["data"][0]["value"])

    async def backup(self, password: str = "words") -> dict[str, str]:
        response = await self.onprem("POST", "settings/backup", json={"password": password})
        return {"data": response.json()["settings"]["data"], "password": password}

    # -- the traffic hook, and the sandbox's own controls

    async def hook(
        self, event: str, epoch: int = 1, key: str | None = None, secret: str | None = None, **fields: Any
    ) -> httpx.Response:
        """A signed call of the traffic hook, as the product sends it."""
        message = {"event": event, "migration_id": "m-1", "e164": self.e164, "epoch": epoch, "deadline": None}
        body = json.dumps(message | fields).encode()
        secret = secret or self.manifest["hook_secret"]
        key = f"m-1:{event}:{epoch}" if key is None else key
        signature = hmac.new(secret.encode(), b"1700000000." + key.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {
            "Idempotency-Key": key,
            "X-Cutover-Timestamp": "1700000000",
            "X-Cutover-Signature-256": f"sha256={signature}",
        }
        return await self.client.post(self.manifest["hook_url"], content=body, headers=headers)

    async def oracle(self, method: str, path: str, **options: Any) -> Any:
        return (await self.client.request(method, f"/_sandbox/{path}", **options)).json()

    async def act_on_client(self, *actions: str) -> None:
        """Have the client's operator do these, one after another: `stop`, `start`, `wipe`, ..."""
        for action in actions:
            await self.oracle("POST", f"instances/{self.row['instance']}", json={"do": action})

    async def act_in_manager(self, action: str, **arguments: Any) -> Any:
        """Have a person do this to the selected number in WhatsApp Manager; gives the oracle's reply."""
        return await self.oracle("POST", "manager", json={"do": action, "e164": self.e164} | arguments)


def error_code_of(response: httpx.Response) -> int | None:
    """The error code of a refusal by either API; None for a success."""
    body = response.json() or {}
    if "error" in body:
        return int(body["error"]["code"])
    return int(body["errors"][0]["code"]) if "errors" in body else None


def recording_receiver(deliveries: list[Delivery], status: int = 200) -> Callable[[Delivery], int]:
    """A webhook receiver that appends what it gets to `deliveries` and answers `status`."""

    def receive(delivery: Delivery) -> int:
        deliveries.append(delivery)
        return status

    return receive
