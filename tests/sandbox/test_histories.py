"""Whatever anybody calls in whatever order: one platform at a time, nothing breaks, and a seed tells it again."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from migration.sandbox.kinds import KINDS
from migration.sandbox.manager import ACTIONS
from migration.sandbox.webhooks import Delivery
from migration.sandbox.wire import Request
from tests.sandbox.far import CODE, Clock, Far

PINS = ("right", "000000", "12", None)
BACKUPS = ("none", "fresh", "kept", "garbled")

steps = st.one_of(
    st.tuples(st.just("register"), st.sampled_from(PINS), st.sampled_from(BACKUPS)),
    st.tuples(st.sampled_from(["deregister", "request_code", "verify", "wrong_code", "set_pin", "message", "wait"])),
    st.tuples(st.sampled_from(["back_up", "restore", "account", "verify_account", "two_step", "two_step_off"])),
    st.tuples(
        st.just("do"),
        st.sampled_from(["stop", "start", "wipe", "gone", "back", "coreapp_down", "coreapp_up", "firewall_up"]),
    ),
    st.tuples(st.just("fault"), st.sampled_from(["lost_answer", "500", "reset_before", "lag"])),
    st.tuples(st.just("manager"), st.sampled_from(sorted(ACTIONS))),
    st.tuples(st.just("webhooks"), st.sampled_from(["app", "waba", "phone", "client", "inbound", "taken", "refused"])),
)
stories = st.lists(steps, max_size=25)
worlds = st.sampled_from(["open", "closing", "after-sunset"])
kinds = st.sampled_from(sorted(KINDS))
switches = st.fixed_dictionaries(
    {
        "restore_registers": st.sampled_from(["always", "open_world"]),
        "wrong_pin_drops_onprem": st.sampled_from(["yes", "no"]),
        "restart_heals_wrong_pin": st.sampled_from(["yes", "no"]),
        "health_after_move": st.sampled_from(["disconnected", "unregistered", "connection_refused"]),
        "platform_after_wrong_pin": st.sampled_from(["NOT_APPLICABLE", "ON_PREMISE"]),
        "register_seconds": st.sampled_from([0, 8]),
        "callbacks_after_move": st.sampled_from(["lost", "delivered"]),
        "webhook_duplicates": st.sampled_from([0, 0.5]),
        "webhook_jitter_s": st.sampled_from([0, 20]),
    }
)


class Story:
    """Tells a history to a sandbox, one raw request after another."""

    def __init__(self, kind: str, world: Any, chosen: dict[str, Any]) -> None:
        self.far = Far.of(kind, world=world, clock=Clock(), **chosen)
        self.far.sandbox.world.calls_take_time = True
        self.kept: dict[str, str] | None = None
        self.heard: list[str] = []

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        told = {"authorization": f"Bearer {self.far.manifest['token']}"} | headers
        raw = json.dumps(body).encode() if body is not None else b""
        answer = self.far.sandbox.handle(Request.of(method, path, told, raw, "http://sandbox"))
        try:
            return json.loads(answer.body) if answer.drop is None else {}
        except ValueError:
            return {}

    def phone(self, edge: str, body: Any = None) -> Any:
        return self.send("POST", f"/{self.far.row['phone_number_id']}/{edge}".rstrip("/"), body)

    def onprem(self, method: str, path: str, body: Any = None) -> Any:
        if self.far.row["instance"] is None:
            return {}
        client = self.far.sandbox.world.instances[self.far.row["instance"]]
        ends = self.far.sandbox.world.now().replace(year=2099)
        client.tokens["t"] = ("admin", ends)
        return self.send(method, f"/onprem/{client.id}/v1/{path}", body, authorization="Bearer t") or {}

    def take(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("register", pin, backup):
                self._register(pin, backup)
            case ("wait",):
                self.far.clock.pass_(seconds=9)
            case ("do", what):
                self.send("POST", f"/_sandbox/instances/{self.far.row['instance']}", {"do": what})
            case ("fault", kind):
                self.far.sandbox.faults.add(route="register", kind=kind)
            case ("back_up",):
                self.kept = self._back_up() or self.kept
            case ("restore",):
                self.onprem("POST", "settings/restore", self.kept or {})
            case (("manager" | "webhooks") as where, what):
                self._beside(where, what)
            case (("account" | "verify_account" | "two_step" | "two_step_off") as what,):
                self._registration(what)
            case (what,):
                self._graph(what)

    def _beside(self, where: str, what: str) -> None:
        if where == "webhooks":
            self._webhooks(what)
        else:
            told = {"e164": self.far.e164, "do": what, "name": "N N", "pin": "1" * 6}
            self.send("POST", "/_sandbox/manager", told)

    def _webhooks(self, what: str) -> None:
        manifest, url = self.far.manifest, f"https://{what}.partner.net/hook"
        override = {"override_callback_uri": url, "verify_token": "v"}
        match what:
            case "app":
                key = f"{manifest['app_id']}|{manifest['app_secret']}"
                self.send("POST", f"/{manifest['app_id']}/subscriptions", {"callback_url": url, "access_token": key})
                self.send("POST", f"/{self.far.row['waba_id']}/subscribed_apps")
            case "waba":
                self.send("POST", f"/{self.far.row['waba_id']}/subscribed_apps", override)
            case "phone":
                self.phone("", {"webhook_configuration": override})
            case "client":
                self.onprem("PATCH", "settings/application", {"webhooks": {"url": url}})
            case "inbound":
                self.send("POST", "/_sandbox/inbound", {"e164": self.far.e164})
            case _:
                self.far.sandbox.deliver(lambda one: self.take_webhook(one, 200 if what == "taken" else 500))

    def take_webhook(self, delivery: Delivery, status: int) -> int:
        self.heard.append(f"{delivery.url} {delivery.attempt} {delivery.body.decode()}")
        return status

    def _graph(self, what: str) -> None:
        codes = self.far.sandbox.sms(self.far.e164) or ["1"]
        edge, body = {
            "verify": ("verify_code", {"code": codes[-1]}),
            "wrong_code": ("verify_code", {"code": "none"}),
            "request_code": ("request_code", CODE),
            "deregister": ("deregister", None),
            "set_pin": ("", {"pin": "314159"}),
            "message": ("messages", {"messaging_product": "whatsapp", "to": "+491511", "text": {"body": "x"}}),
        }[what]
        self.phone(edge, body)

    def _registration(self, what: str) -> None:
        number, e164 = self.far.number, self.far.e164
        match what:
            case "account":
                body = {"cc": e164[1:3], "phone_number": e164[3:], "method": "sms", "cert": "x", "pin": number.pin}
                self.onprem("POST", "account", body)
            case "verify_account":
                codes = self.far.sandbox.sms(e164)
                self.onprem("POST", "account/verify", {"code": codes[-1] if codes else ""})
            case "two_step":
                self.onprem("POST", "settings/account/two-step", {"pin": "271828"})
            case "two_step_off":
                self.onprem("DELETE", "settings/account/two-step")

    def _back_up(self) -> dict[str, str] | None:
        told = self.onprem("POST", "settings/backup", {"password": "w"})
        return {"data": told["settings"]["data"], "password": "w"} if "settings" in told else None

    def _register(self, pin: str | None, backup: str) -> None:
        body: dict[str, Any] = {"messaging_product": "whatsapp"}
        body["pin"] = self.far.number.pin or "161803" if pin == "right" else pin
        taken = {"none": None, "fresh": self._back_up(), "kept": self.kept, "garbled": self.kept}[backup]
        if taken is not None:
            body["backup"] = taken | ({"data": taken["data"][::-1]} if backup == "garbled" else {})
        self.phone("register", body)

    def witnesses(self) -> tuple[bool, bool]:
        """Whether On-Premises says that it serves, and whether Graph says that Cloud does: as a client reads them."""
        client = self.far.sandbox.world.instances.get(str(self.far.row["instance"]))
        if client is not None:
            client.firewalled = False  # for a look; the story puts it up again
        health = self.onprem("GET", "health").get("health", {})
        nodes = [node for node in health.values() if isinstance(node, dict)] or [health]
        states = {node.get("gateway_status") for node in nodes}
        shown = self.send("GET", f"/{self.far.row['phone_number_id']}?fields=platform_type,status")
        return "connected" in states, (shown.get("platform_type"), shown.get("status")) == ("CLOUD_API", "CONNECTED")


@settings(max_examples=150, deadline=None)
@given(story=stories, world=worlds, kind=kinds, chosen=switches)
def test_no_history_leaves_a_number_on_two_platforms(
    story: list[tuple[Any, ...]], world: str, kind: str, chosen: dict[str, Any]
) -> None:
    told = Story(kind, world, chosen)
    for step in story:
        told.take(step)
        number = told.far.number
        lagging = number.lagging_until is not None and told.far.clock.at < number.lagging_until
        onprem, cloud = told.witnesses()
        assert not (onprem and cloud) or lagging
        assert onprem <= (number.platform == "ON_PREMISE")
        if not lagging:
            assert onprem == (number.side == "on_premises")
            assert cloud == (number.side == "cloud")
        assert (number.dark_since is None) == (number.side != "neither")
        assert number.registered <= number.registers
        assert len(number.register_budget.calls) <= 10


@settings(max_examples=40, deadline=None)
@given(story=stories, kind=kinds)
def test_the_same_seed_and_story_make_the_same_history(story: list[tuple[Any, ...]], kind: str) -> None:
    histories = []
    for _ in range(2):
        told = Story(kind, "closing", {"register_seconds": 5, "webhook_jitter_s": 10, "webhook_duplicates": 0.5})
        answers = []
        for step in story:
            told.take(step)
            answers.append(told.witnesses())
        record = json.dumps([call.as_json() for call in told.far.sandbox.world.calls])
        histories.append((answers, record, told.heard, told.far.sandbox.world.describe(told.far.number)))
    assert histories[0] == histories[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "pin",
    "messaging_product",
    "backup",
    "code",
    "code_method",
    "language",
    "to",
    "type",
    "text",
    "template",
    "fields",
    "limit",
    "after",
    "status",
    "deadline",
    "storage_configuration",
    "user_identity_change",
    "webhook_configuration",
    "websites",
    "about",
    "email",
    "override_callback_uri",
    "verify_token",
    "password",
    "data",
    "cc",
    "phone_number",
    "method",
    "cert",
    "shards",
    "contacts",
    "username",
    "event",
    "e164",
    "do",
    "faults",
    "kind",
    "vertical",
    "data_localization_region",
    "access_token",
    "input_token",
    "client_id",
    "before",
    "name",
    "drain_s",
    "behaviour",
    "advance_s",
    "new_password",
    "new_display_name",
    "callback_url",
    "file_length",
    "file_type",
    "profile_picture_handle",
]
WHOLE = {
    "messaging_product": "whatsapp",
    "pin": "123456",
    "to": "+4915112345678",
    "type": "text",
    "text": {"body": "x"},
    "template": {"name": "smoke_test", "language": {"code": "en"}},
    "code_method": "SMS",
    "language": "en",
}
bodies = st.dictionaries(st.sampled_from(NAMES), json_values, max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH", "PUT"]),
    edge=st.sampled_from(
        [
            "register",
            "deregister",
            "request_code",
            "verify_code",
            "messages",
            "settings",
            "whatsapp_business_profile",
            "phone_numbers",
            "subscribed_apps",
            "message_templates",
            "assigned_users",
            "subscriptions",
            "uploads",
            "x",
        ]
    )
    | st.just(""),
    node=st.sampled_from(["phone", "waba", "app", "debug_token", "0"]),
    body=bodies | json_values,
    as_query=st.booleans(),
)
def test_nothing_that_can_be_sent_to_graph_breaks_it(
    method: str, edge: str, node: str, body: Any, as_query: bool
) -> None:
    story = Story("on_cloud", "closing", {})
    row, told = story.far.row, story.far.manifest
    ids = {"phone": row["phone_number_id"], "waba": row["waba_id"], "app": told["app_id"]}
    path = f"/v25.0/{ids.get(node, node)}/{edge}"
    if as_query and isinstance(body, dict):
        path += "?" + "&".join(f"{name}={json.dumps(value)}" for name, value in body.items())
        body = None
    if isinstance(body, dict):
        body = WHOLE | body  # so that it gets past the first check
    answer = story.send(method, path, body)
    assert isinstance(answer, dict)
    assert story.far.sandbox.world.calls[-1].status in range(200, 504)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PATCH", "PUT"]),
    path=st.sampled_from(
        [
            "users/login",
            "users/logout",
            "users",
            "users/admin",
            "users/x",
            "health",
            "support",
            "settings/application",
            "account",
            "settings/business/profile",
            "settings/profile/about",
            "settings/profile/photo",
            "account/verify",
            "account/shards",
            "settings/account/two-step",
            "settings/backup",
            "settings/restore",
            "stats/app",
            "metrics",
            "messages",
            "messages/1",
            "contacts",
            "media",
            "media/1",
            "nothing",
        ]
    ),
    kind=st.sampled_from(["healthy", "multiconnect", "coreapp_down", "expired"]),
    world=st.sampled_from(["open", "closing"]),
    body=bodies | json_values,
)
def test_nothing_that_can_be_sent_to_a_client_breaks_it(
    method: str, path: str, kind: str, world: str, body: Any
) -> None:
    story = Story(kind, world, {})
    story.onprem(method, path, body)
    assert story.far.sandbox.world.calls[-1].status in range(200, 504)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(
        [
            *("calls", "world", "sms", "fleet", "senders", "faults", "clock", "inbound", "senders/hook", "instances/x"),
            *("manager", "webhooks", "x"),
        ]
    ),
    body=bodies | json_values,
)
def test_nothing_that_can_be_sent_to_the_oracle_breaks_it(method: str, path: str, body: Any) -> None:
    Story("healthy", "closing", {}).send(method, f"/_sandbox/{path}", body)


@settings(max_examples=100, deadline=None)
@given(body=bodies)
async def test_nothing_that_is_signed_breaks_the_hook(body: dict[str, Any]) -> None:
    far = Far.of()
    assert (await far.hook(**({"event": "pause_sends", "key": "k"} | body))).status_code in (200, 400)
