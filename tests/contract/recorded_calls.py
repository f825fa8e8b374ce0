"""Makes every call of our Graph client and every other call that the sandbox's Graph knows, and records them all."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup
from migration.clients.http import HttpClient
from migration.clients.profile_picture import Picture
from migration.clock import SystemClock
from sandbox.app import Sandbox
from sandbox.graph.fields import PHONE, PROFILE_FIELDS, WABA
from sandbox.graph.waba import TEMPLATE
from tests.contract.spec import Call
from tests.sandbox.partner import BASE, Clock

KINDS = ["healthy", "no_backup", "on_cloud", "new", "payment_problem"]
FAR_FUTURE = 10.0**12
CONSUMER = "+4915112345678"


class Recorder(httpx.AsyncBaseTransport):
    """Records each call with its response. `kinds` maps an id to the kind of its node."""

    def __init__(self, inner: httpx.AsyncBaseTransport, kinds: Mapping[str, str]) -> None:
        self._inner = inner
        self._kinds = kinds
        self.calls: list[Call] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        _, node, *edge = request.url.path.strip("/").split("/")
        hidden = ("appsecret_proof", "access_token")  # credentials; every call may carry them
        query = {name: value for name, value in request.url.params.items() if name not in hidden}
        sent = _json(request) if request.headers.get("content-type") == "application/json" else None
        kind = self._kinds.get(node, node)
        call = Call(request.method, kind, "/".join(edge), query, sent, response.status_code, response.json())
        self.calls.append(call)
        return response


def _json(request: httpx.Request) -> Any:
    return httpx.Response(200, content=request.content).json()


class ContractSetup:
    """A sandbox with one number of each kind, and our Graph client connected to it through a recorder."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sandbox = Sandbox.build(numbers=len(KINDS), seed=5, now=self.clock.now, kinds=KINDS)
        manifest = self.sandbox.manifest(BASE)
        self.rows = {row["kind"]: row for row in manifest["numbers"]}
        self.waba = manifest["wabas"][0]["waba_id"]
        self.app, self.token, self.secret = manifest["app_id"], manifest["token"], manifest["app_secret"]
        kinds = {row["phone_number_id"]: "phone" for row in manifest["numbers"]} | {self.waba: "waba", self.app: "app"}
        self.business = manifest["businesses"][0]["business_id"]
        self.template = self.sandbox.world.wabas[self.waba].templates[0].id
        kinds |= {self.business: "business", self.template: "template"}
        self.recorder = Recorder(self.sandbox.transport(), kinds)
        self.http = httpx.AsyncClient(transport=self.recorder, base_url=f"{BASE}/v25.0/")
        secret = SecretStr(self.secret)
        self.client = GraphApi(self._new_client(), self._new_client, f"{BASE}/v25.0", SecretStr(self.token), secret)

    def _new_client(self) -> HttpClient:
        return HttpClient(self.recorder, SystemClock())

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
            url, credentials = f"{row['onprem_url']}/v1", (row["username"], row["password"])
            token = (await http.post(f"{url}/users/login", auth=credentials)).json()["users"][0]["token"]
            headers = {"Authorization": f"Bearer {token}"}
            response = await http.post(f"{url}/settings/backup", json={"password": "words"}, headers=headers)
        return {"data": response.json()["settings"]["data"], "password": "words"}


async def call_every_client_method(setup: ContractSetup) -> None:
    """Calls every method of our client once."""
    for call in CLIENT_CALLS.values():
        await call(setup)


async def _register(setup: ContractSetup) -> None:
    backup_data = await setup.backup("healthy")
    pin = SecretStr(setup.rows["healthy"]["pin"])
    backup = Backup(data=SecretStr(backup_data["data"]), password=SecretStr(backup_data["password"]))
    await setup.client.register(setup.id("healthy"), pin, backup, send_by=FAR_FUTURE)
    await setup.client.register(setup.id("new"), SecretStr("246810"), None, send_by=FAR_FUTURE)


async def _send_template(setup: ContractSetup) -> None:
    client = setup.client
    await client.send_template(setup.id("on_cloud"), CONSUMER, "smoke_test", "en", "c-1", send_by=FAR_FUTURE)


async def _send_text(setup: ContractSetup) -> None:
    client = setup.client
    await client.send_text(setup.id("on_cloud"), CONSUMER, "A test.", "c-2", send_by=FAR_FUTURE)


async def _upload_picture(setup: ContractSetup) -> None:
    picture = Picture(b"\xff\xd8\xff\xe0picture", "image/jpeg")
    handle = await setup.client.upload_picture(setup.app, picture, send_by=FAR_FUTURE)
    await setup.client.set_profile(setup.id("on_cloud"), {"profile_picture_handle": handle}, send_by=FAR_FUTURE)


async def _verify_code(setup: ContractSetup) -> None:
    await setup.client.verify_code(setup.id("no_backup"), SecretStr(setup.code("no_backup")), send_by=FAR_FUTURE)


# In an order in which each call can succeed.
CLIENT_CALLS: Mapping[str, Callable[[ContractSetup], Awaitable[Any]]] = {
    "number": lambda setup: setup.client.number(setup.id("on_cloud")),
    "numbers": lambda setup: setup.client.numbers(setup.waba),
    "certificate": lambda setup: setup.client.certificate(setup.id("healthy")),
    "subscribe": lambda setup: setup.client.subscribe(setup.waba, send_by=FAR_FUTURE),
    "subscribed_apps": lambda setup: setup.client.subscribed_apps(setup.waba),
    "settings": lambda setup: setup.client.settings(setup.id("on_cloud")),
    "profile": lambda setup: setup.client.profile(setup.id("on_cloud")),
    "details": lambda setup: setup.client.details(setup.id("on_cloud")),
    "details_of_all": lambda setup: setup.client.details_of_all(setup.waba),
    "approved_templates": lambda setup: setup.client.approved_templates(setup.waba),
    "upload_picture": _upload_picture,
    "health": lambda setup: setup.client.health(setup.id("payment_problem")),
    "debug_token": lambda setup: setup.client.debug_token(),
    "set_pin": lambda setup: setup.client.set_pin(setup.id("on_cloud"), SecretStr("135790"), send_by=FAR_FUTURE),
    "set_storage": lambda setup: setup.client.set_storage(setup.id("no_backup"), "BR", send_by=FAR_FUTURE),
    "request_code": lambda setup: setup.client.request_code(setup.id("no_backup"), "SMS", "en_US", send_by=FAR_FUTURE),
    "verify_code": _verify_code,
    "register": _register,
    "send_template": _send_template,
    "send_text": _send_text,
    "set_profile": lambda setup: setup.client.set_profile(
        setup.id("on_cloud"), {"about": "Open", "websites": ["https://shop.example"]}, send_by=FAR_FUTURE
    ),
    "deregister": lambda setup: setup.client.deregister(setup.id("on_cloud"), send_by=FAR_FUTURE),
}


async def call_every_other_route(setup: ContractSetup) -> None:
    """What our client does not call: every field, every other route, and a refusal of each kind of node."""
    phone, waba, send = setup.id("on_cloud"), setup.waba, setup.send
    await send("GET", phone, fields=",".join(PHONE))
    await send("GET", phone)
    await send("GET", setup.id("healthy"))
    await send("GET", waba, fields=",".join(WABA))
    await send("GET", waba)
    await send("GET", f"{waba}/phone_numbers", fields=",".join(PHONE), limit="2")
    await send("GET", f"{waba}/message_templates", limit="2")
    await send("GET", f"{waba}/message_templates", fields=",".join(TEMPLATE), summary="total_count")
    await send("GET", setup.template)
    await send("GET", setup.template, fields=",".join((*TEMPLATE, "health_status")))
    await send("GET", setup.business)
    await send("GET", f"{setup.business}/owned_whatsapp_business_accounts")
    await send("GET", f"{setup.business}/client_whatsapp_business_accounts")
    await send("GET", f"{waba}/flows")
    await send("GET", f"{phone}/whatsapp_commerce_settings")
    await send("GET", f"{phone}/message_qrdls")
    await send("GET", f"{phone}/block_users")
    await send("GET", f"{phone}/groups")
    await send("GET", f"{phone}/username_suggestions")
    await send("GET", f"{phone}/call_permissions", user_wa_id=CONSUMER)
    await send("GET", f"{waba}/signups")
    await send("GET", f"{setup.id('healthy')}/settings")
    await send("GET", f"{setup.id('healthy')}/whatsapp_business_profile", fields=",".join(PROFILE_FIELDS))
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
