"""Every call of our Graph client, and every call that the sandbox's Graph knows, over one recorded transport."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup
from sandbox.app import Sandbox
from sandbox.graph.fields import PHONE, WABA
from tests.contract.spec import Call
from tests.sandbox.partner import BASE, Clock

KINDS = ["healthy", "no_backup", "on_cloud", "new", "payment_problem"]
FAR_FUTURE = 10.0**12
CONSUMER = "+4915112345678"


class Recorder(httpx.AsyncBaseTransport):
    """Notes each call with its answer. `kinds` says of an id whether it is a phone's, a WABA's or an app's."""

    def __init__(self, inner: httpx.AsyncBaseTransport, kinds: Mapping[str, str]) -> None:
        self._inner = inner
        self._kinds = kinds
        self.calls: list[Call] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        _, node, *edge = request.url.path.strip("/").split("/")
        hidden = ("appsecret_proof", "access_token")  # credentials; every call may carry them
        query = {name: value for name, value in request.url.params.items() if name not in hidden}
        sent = _json(request) if request.content else None
        kind = self._kinds.get(node, node)
        told = Call(request.method, kind, "/".join(edge), query, sent, answer.status_code, answer.json())
        self.calls.append(told)
        return answer


def _json(request: httpx.Request) -> Any:
    return httpx.Response(200, content=request.content).json()


class Town:
    """A sandbox with one number of each kind, and the client under test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sandbox = Sandbox.build(numbers=len(KINDS), seed=5, now=self.clock.now, kinds=KINDS)
        told = self.sandbox.manifest(BASE)
        self.rows = {row["kind"]: row for row in told["numbers"]}
        self.waba = told["wabas"][0]["waba_id"]
        self.app, self.token, self.secret = told["app_id"], told["token"], told["app_secret"]
        kinds = {row["phone_number_id"]: "phone" for row in told["numbers"]} | {self.waba: "waba", self.app: "app"}
        self.recorder = Recorder(self.sandbox.transport(), kinds)
        self.http = httpx.AsyncClient(transport=self.recorder, base_url=f"{BASE}/v25.0/")
        fresh = lambda: httpx.AsyncClient(transport=self.recorder)  # noqa: E731
        secret = SecretStr(self.secret)
        self.client = GraphApi(self.http, fresh, f"{BASE}/v25.0", SecretStr(self.token), secret)

    def id(self, kind: str) -> str:
        return str(self.rows[kind]["phone_number_id"])

    def code(self, kind: str) -> str:
        return self.sandbox.sms(self.rows[kind]["e164"])[-1]

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> None:
        """A call that our client does not make."""
        headers = {"Authorization": f"Bearer {self.token}"}
        await self.http.request(method, path, json=body, params=query, headers=headers)

    async def backup(self, kind: str) -> dict[str, str]:
        row = self.rows[kind]
        async with httpx.AsyncClient(transport=self.sandbox.transport()) as http:
            url, who = f"{row['onprem_url']}/v1", (row["username"], row["password"])
            token = (await http.post(f"{url}/users/login", auth=who)).json()["users"][0]["token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = await http.post(f"{url}/settings/backup", json={"password": "words"}, headers=headers)
        return {"data": answer.json()["settings"]["data"], "password": "words"}


async def drive_client(town: Town) -> None:
    """Calls every method of our client once."""
    for call in CLIENT.values():
        await call(town)


async def _register(town: Town) -> None:
    told = await town.backup("healthy")
    pin = SecretStr(town.rows["healthy"]["pin"])
    backup = Backup(data=SecretStr(told["data"]), password=SecretStr(told["password"]))
    await town.client.register(town.id("healthy"), pin, backup, send_by=FAR_FUTURE)
    await town.client.register(town.id("new"), SecretStr("246810"), None, send_by=FAR_FUTURE)


async def _send_template(town: Town) -> None:
    client = town.client
    await client.send_template(town.id("on_cloud"), CONSUMER, "smoke_test", "en", "c-1", send_by=FAR_FUTURE)


async def _verify_code(town: Town) -> None:
    await town.client.verify_code(town.id("no_backup"), SecretStr(town.code("no_backup")), send_by=FAR_FUTURE)


# In an order in which each is possible.
CLIENT: Mapping[str, Callable[[Town], Awaitable[Any]]] = {
    "number": lambda town: town.client.number(town.id("on_cloud")),
    "numbers": lambda town: town.client.numbers(town.waba),
    "certificate": lambda town: town.client.certificate(town.id("healthy")),
    "waba": lambda town: town.client.waba(town.waba),
    "subscribe": lambda town: town.client.subscribe(town.waba, send_by=FAR_FUTURE),
    "subscribed_apps": lambda town: town.client.subscribed_apps(town.waba),
    "settings": lambda town: town.client.settings(town.id("on_cloud")),
    "profile": lambda town: town.client.profile(town.id("on_cloud")),
    "health": lambda town: town.client.health(town.id("payment_problem")),
    "debug_token": lambda town: town.client.debug_token(),
    "set_pin": lambda town: town.client.set_pin(town.id("on_cloud"), SecretStr("135790"), send_by=FAR_FUTURE),
    "set_storage": lambda town: town.client.set_storage(town.id("no_backup"), "BR", send_by=FAR_FUTURE),
    "request_code": lambda town: town.client.request_code(town.id("no_backup"), "SMS", "en_US", send_by=FAR_FUTURE),
    "verify_code": _verify_code,
    "register": _register,
    "send_template": _send_template,
    "set_profile": lambda town: town.client.set_profile(
        town.id("on_cloud"), {"about": "Open", "websites": ["https://shop.example"]}, send_by=FAR_FUTURE
    ),
    "deregister": lambda town: town.client.deregister(town.id("on_cloud"), send_by=FAR_FUTURE),
}


async def drive_sandbox(town: Town) -> None:
    """What our client does not ask for: every field, every other call, and a refusal of each kind of node."""
    phone, waba, send = town.id("on_cloud"), town.waba, town.send
    await send("GET", phone, fields=",".join(PHONE))
    await send("GET", phone)
    await send("GET", town.id("healthy"))
    await send("GET", waba, fields=",".join(WABA))
    await send("GET", waba)
    await send("GET", f"{waba}/phone_numbers", fields=",".join(PHONE), limit="2")
    await send("GET", f"{waba}/message_templates", limit="2")
    await send("GET", f"{waba}/assigned_users", business="1")
    await send("GET", f"{waba}/subscribed_apps")
    await send("POST", f"{waba}/subscribed_apps")
    override = {"override_callback_uri": "https://partner.example/w", "verify_token": "v"}
    await send("POST", f"{waba}/subscribed_apps", override)
    await send("GET", f"{waba}/subscribed_apps")
    await send("POST", phone, {"webhook_configuration": override})
    await send("DELETE", f"{waba}/subscribed_apps")
    await send("POST", phone, {"new_display_name": "Another Name"})
    await send("GET", f"{phone}/settings")
    await send("POST", f"{phone}/settings", {"user_identity_change": {"enable_identity_key_check": True}})
    await send("GET", f"{phone}/whatsapp_business_profile", fields="about,address,email,websites,vertical")
    text = {"messaging_product": "whatsapp", "to": CONSUMER, "type": "text", "text": {"body": "x"}}
    await send("POST", f"{phone}/messages", text)
    await send(
        "POST", f"{phone}/messages", {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.X"}
    )
    await send("POST", f"{phone}/register", {"messaging_product": "whatsapp", "pin": "000000"})
    await send("POST", f"{phone}/verify_code", {"code": "000000"})
