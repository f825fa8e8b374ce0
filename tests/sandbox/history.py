"""Plays one number's history to a sandbox in this process, one raw request after another."""

import json
from dataclasses import replace
from typing import Any, NamedTuple

from sandbox.wire import Request
from sandbox.world.number import certificate
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import CODE_REQUEST, Partner

# A token of its own: with it both sides are read, whatever a history did to the partner's token.
READER_TOKEN = "EAAGwitness"
READER_HEADERS = {"authorization": f"Bearer {READER_TOKEN}"}


class Readings(NamedTuple):
    """Which platforms say that the number is connected, and which accept a message from it.

    The two On-Premises figures are counts of clients: a number can have two.
    """

    onprem_connected: int
    onprem_accepts: int
    cloud_connected: bool
    cloud_accepts: bool


class History:
    """A sandbox with one number, from a row of a scenario file, the world's kind and the values of switches."""

    def __init__(self, row: dict[str, Any], world: str, switches: dict[str, Any]) -> None:
        fleet = {"world": world, "seed": 7, "switches": switches, "numbers": [row]}
        self.partner = Partner.from_scenario(json.dumps(fleet))
        number = self.partner.number
        self.clients = [client for client in (number.instance_id, number.spare_id) if client is not None]
        self.partner.sandbox.world.calls_take_time = True
        self.last_backup: dict[str, str] | None = None
        self.deliveries: list[str] = []
        self.responses: list[tuple[int, bytes, str | None]] = []
        self.reading_count = 0
        tokens = self.partner.sandbox.world.tokens
        tokens[READER_TOKEN] = replace(tokens[self.partner.manifest["token"]], value=READER_TOKEN)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON body of the response; an empty object where there is none."""
        headers = {"authorization": f"Bearer {self.partner.manifest['token']}"} | headers
        raw = json.dumps(body).encode() if body is not None else b""
        response = self.partner.sandbox.handle(Request.of(method, path, headers, raw, "http://sandbox"))
        self.responses.append((response.status, response.body, response.drop))
        assert b"The sandbox failed" not in response.body, f"{method} {path} {body}"
        try:
            return json.loads(response.body) if response.drop is None else {}
        except ValueError:
            return {}

    def phone(self, edge: str, body: Any = None) -> Any:
        return self.send("POST", f"/{self.partner.row['phone_number_id']}/{edge}".rstrip("/"), body)

    def onprem(self, method: str, path: str, body: Any = None, client_index: int = 0) -> Any:
        """A call of one of the number's clients, always logged in."""
        if not self.clients:
            return {}
        client = self.partner.sandbox.world.instances[self.clients[client_index]]
        expires_at = self.partner.sandbox.world.now().replace(year=2099)
        client.tokens["t"] = ("admin", expires_at)
        return self.send(method, f"/onprem/{client.id}/v1/{path}", body, authorization="Bearer t") or {}

    def perform(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("register", pin, backup):
                self._register(pin, backup)
            case ("wait",):
                self.partner.clock.advance(seconds=9)
            case ("do", action):
                self.act_on_client(action)
            case ("fault", kind):
                self.partner.sandbox.faults.add(route="register", kind=kind)
            case (("come_back" | "restored" | "verified" | "other_client") as name,):
                self._sequence(name)
            case ("manager", action):
                self._act_in_manager(action)
            case ("webhooks", event):
                self._webhooks(event)
            case (("account" | "verify_account" | "two_step" | "two_step_off" | "back_up" | "restore") as name,):
                self._onprem_step(name)
            case (name,):
                self._graph_step(name)

    def act_on_client(self, action: str) -> None:
        if self.clients:
            self.send("POST", f"/_sandbox/instances/{self.clients[0]}", {"do": action})

    def _sequence(self, name: str) -> None:
        """Several calls in this order, which random steps alone would hardly ever make."""
        match name:
            case "other_client":
                self.clients.reverse()
            case "come_back":
                self._onprem_step("account")
                self._onprem_step("verify_account")
            case "restored":
                self.act_on_client("wipe")
                self._onprem_step("restore")
            case _:
                self._graph_step("request_code")
                self._graph_step("verify")

    def _act_in_manager(self, action: str) -> None:
        number = self.partner.number
        body = {"e164": number.e164, "do": action, "name": "N N", "pin": "1" * 6}
        if action == "delete_number":
            body["pin"], number.paid_at = number.pin or "", None  # the messages of `read_both_sides` do not count
        self.send("POST", "/_sandbox/manager", body)
        self.partner.row["phone_number_id"] = number.phone_number_id

    def _webhooks(self, event: str) -> None:
        """Sets a callback address, writes as a consumer, or lets the receiver take or refuse what is due."""
        manifest, url = self.partner.manifest, f"https://{event}.partner.net/hook"
        override = {"override_callback_uri": url, "verify_token": "v"}
        match event:
            case "app":
                key, of_wabas = (
                    f"{manifest['app_id']}|{manifest['app_secret']}",
                    {"object": "whatsapp_business_account"},
                )
                self.send(
                    "POST",
                    f"/{manifest['app_id']}/subscriptions",
                    {"callback_url": url, "access_token": key} | of_wabas,
                )
                self.send("POST", f"/{self.partner.row['waba_id']}/subscribed_apps")
            case "waba":
                self.send("POST", f"/{self.partner.row['waba_id']}/subscribed_apps", override)
            case "phone":
                self.phone("", {"webhook_configuration": override})
            case "client":
                self.onprem("PATCH", "settings/application", {"webhooks": {"url": url}})
            case "inbound":
                self.send("POST", "/_sandbox/inbound", {"e164": self.partner.e164})
            case _:
                status = 200 if event == "taken" else 500
                self.partner.sandbox.deliver(lambda delivery: self.receive(delivery, status))

    def receive(self, delivery: Delivery, status: int) -> int:
        self.deliveries.append(f"{delivery.url} {delivery.attempt} {delivery.body.decode()}")
        return status

    def _graph_step(self, name: str) -> None:
        codes = self.partner.sandbox.sms(self.partner.e164) or ["1"]
        edge, body = {
            "verify": ("verify_code", {"code": codes[-1]}),
            "wrong_code": ("verify_code", {"code": "none"}),
            "request_code": ("request_code", CODE_REQUEST),
            "deregister": ("deregister", None),
            "set_pin": ("", {"pin": "314159"}),
            "message": ("messages", {"messaging_product": "whatsapp", "to": "+491511", "text": {"body": "x"}}),
        }[name]
        self.phone(edge, body)

    def _onprem_step(self, name: str) -> None:
        number, e164 = self.partner.number, self.partner.e164
        match name:
            case "account":
                body = {"cc": e164[1:3], "phone_number": e164[3:], "method": "sms", "cert": certificate(number)}
                self.onprem("POST", "account", body | ({"pin": number.pin} if number.pin is not None else {}))
            case "verify_account":
                codes = self.partner.sandbox.sms(e164)
                self.onprem("POST", "account/verify", {"code": codes[-1] if codes else ""})
            case "back_up":
                self.last_backup = self._back_up() or self.last_backup
            case "restore":
                self.onprem("POST", "settings/restore", self.last_backup or {})
            case "two_step":
                self.onprem("POST", "settings/account/two-step", {"pin": "271828"})
            case "two_step_off":
                self.onprem("DELETE", "settings/account/two-step")

    def _back_up(self) -> dict[str, str] | None:
        body = self.onprem("POST", "settings/backup", {"password": "w"})
        return {"data": body["settings"]["data"], "password": "w"} if "settings" in body else None

    def _register(self, pin: str | None, backup: str) -> None:
        body: dict[str, Any] = {"messaging_product": "whatsapp"}
        body["pin"] = self.partner.number.pin or "161803" if pin == "right" else pin
        if backup == "fresh":
            self.last_backup = self._back_up() or self.last_backup
        sent = None if backup == "none" else self.last_backup
        if sent is not None:
            body["backup"] = sent | ({"data": sent["data"][::-1]} if backup == "garbled" else {})
        self.phone("register", body)

    def read_both_sides(self) -> Readings:
        """Reads health and platform type, and sends one message from each side."""
        world = self.partner.sandbox.world
        for client in self.clients:
            world.instances[client].firewalled = False  # only for this reading; a step can put the firewall up again
        world.tokens[READER_TOKEN].wabas = None  # it reads also where the partner was removed
        indexes = range(len(self.clients))
        connected = [self._connected(index) for index in indexes]
        phone = f"/{self.partner.row['phone_number_id']}"
        fields = self.send("GET", f"{phone}?fields=platform_type", **READER_HEADERS)
        message = self._new_message()
        cloud_message = message | {"messaging_product": "whatsapp"}
        accepted = ["messages" in self.onprem("POST", "messages", message, index) for index in indexes]
        # A client that is not connected may accept a message and keep it: that is not sending.
        keeps = world.switches.messages_while_disconnected == "queued"
        return Readings(
            sum(connected),
            sum(accepts and (serves or not keeps) for accepts, serves in zip(accepted, connected, strict=True)),
            fields.get("platform_type") == "CLOUD_API",
            "messages" in self.send("POST", f"{phone}/messages", cloud_message, **READER_HEADERS),
        )

    def _new_message(self) -> dict[str, Any]:
        """A template to a consumer who has not been written to before."""
        self.reading_count += 1
        template = {"namespace": "n", "name": "smoke_test", "language": {"code": "en"}}
        return {"to": f"49151{self.reading_count:07d}", "type": "template", "template": template}

    def _connected(self, client_index: int) -> bool:
        health = self.onprem("GET", "health", client_index=client_index).get("health", {})
        nodes = [node for node in health.values() if isinstance(node, dict)] or [health]
        return "connected" in {node.get("gateway_status") for node in nodes}
