"""Whatever anybody calls in whatever order: one platform at a time, nothing breaks, and a seed tells it again."""

import json
from dataclasses import replace
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from migration.sandbox.kinds import KINDS
from migration.sandbox.manager import ACTIONS
from migration.sandbox.onprem_hands import ACTIONS as HANDS
from migration.sandbox.switches import SHARES, names, values_of
from migration.sandbox.webhooks import Delivery
from migration.sandbox.wire import Request
from tests.sandbox.far import CODE, Clock, Far

SEES_ALL = "EAAGwitness"
AS_WITNESS = {"authorization": f"Bearer {SEES_ALL}"}
PINS = ("right", "000000", "12", None)
BACKUPS = ("none", "fresh", "kept", "garbled")

steps = st.one_of(
    st.just(("register", "right", "fresh")),  # most of what there is to find comes after a move that went well
    st.tuples(st.just("register"), st.sampled_from(PINS), st.sampled_from(BACKUPS)),
    st.tuples(st.sampled_from(["deregister", "request_code", "verify", "wrong_code", "set_pin", "message", "wait"])),
    st.tuples(st.sampled_from(["back_up", "restore", "account", "verify_account", "two_step", "two_step_off"])),
    st.tuples(
        st.just("do"),
        st.sampled_from(HANDS),
    ),
    st.tuples(st.just("fault"), st.sampled_from(["lost_answer", "500", "reset_before", "lag"])),
    st.tuples(st.just("manager"), st.sampled_from(sorted(ACTIONS))),
    st.tuples(st.just("webhooks"), st.sampled_from(["app", "waba", "phone", "client", "inbound", "taken", "refused"])),
)
stories = st.lists(steps, min_size=2, max_size=25)
worlds = st.sampled_from(["open", "closing", "after-sunset"])
kinds = st.sampled_from(sorted(KINDS))
# What a switch that takes any number is set to.
SOME_NUMBERS = ("0", "1", "8", "90")
SOME_SHARES = ("0", "0.5", "1")


def _value_of(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values_of(name) or (SOME_SHARES if name in SHARES else SOME_NUMBERS))


# Any switch, to any of its values.
switches = st.lists(st.sampled_from(names()), unique=True, max_size=8).flatmap(
    lambda chosen: st.fixed_dictionaries({name: _value_of(name) for name in chosen})
)


class Story:
    """Tells a history to a sandbox, one raw request after another."""

    def __init__(self, kind: str, world: Any, chosen: dict[str, Any]) -> None:
        self.far = Far.of(kind, world=world, clock=Clock(), **chosen)
        self.far.sandbox.world.calls_take_time = True
        self.kept: dict[str, str] | None = None
        self.heard: list[str] = []
        self.looks = 0
        tokens = self.far.sandbox.world.tokens
        tokens[SEES_ALL] = replace(tokens[self.far.manifest["token"]], value=SEES_ALL)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        told = {"authorization": f"Bearer {self.far.manifest['token']}"} | headers
        raw = json.dumps(body).encode() if body is not None else b""
        answer = self.far.sandbox.handle(Request.of(method, path, told, raw, "http://sandbox"))
        assert b"The sandbox failed" not in answer.body, f"{method} {path} {body}"
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
            number = self.far.number
            told = {"e164": number.e164, "do": what, "name": "N N", "pin": "1" * 6}
            if what == "delete_number":
                told["pin"], number.paid_at = number.pin or "", None  # what the witnesses sent does not count
            self.send("POST", "/_sandbox/manager", told)
            self.far.row["phone_number_id"] = number.phone_number_id

    def _webhooks(self, what: str) -> None:
        manifest, url = self.far.manifest, f"https://{what}.partner.net/hook"
        override = {"override_callback_uri": url, "verify_token": "v"}
        match what:
            case "app":
                key, ours = f"{manifest['app_id']}|{manifest['app_secret']}", {"object": "whatsapp_business_account"}
                self.send(
                    "POST", f"/{manifest['app_id']}/subscriptions", {"callback_url": url, "access_token": key} | ours
                )
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

    def witnesses(self) -> "Witnesses":
        """What either side says of the number, and whether it takes a message: as a client finds out."""
        client = self.far.sandbox.world.instances.get(str(self.far.row["instance"]))
        if client is not None:
            client.firewalled = False  # for a look; the story puts it up again
        health = self.onprem("GET", "health").get("health", {})
        nodes = [node for node in health.values() if isinstance(node, dict)] or [health]
        self.far.sandbox.world.tokens[SEES_ALL].wabas = None  # also where the partner was removed
        states = {node.get("gateway_status") for node in nodes}
        shown = self.send("GET", f"/{self.far.row['phone_number_id']}?fields=platform_type", **AS_WITNESS)
        self.looks += 1
        to = f"49151{self.looks:07d}"
        template = {"namespace": "n", "name": "smoke_test", "language": {"code": "en"}}
        message = {"to": to, "type": "template", "template": template}
        cloud = message | {"messaging_product": "whatsapp"}
        says, taken = "connected" in states, "messages" in self.onprem("POST", "messages", message)
        kept = self.far.sandbox.world.switches.messages_while_disconnected == "queued"
        return Witnesses(
            says,
            taken and (says or not kept),  # a client may take what it cannot send, and keep it
            shown.get("platform_type") == "CLOUD_API",
            "messages" in self.send("POST", f"/{self.far.row['phone_number_id']}/messages", cloud, **AS_WITNESS),
        )


class Witnesses(NamedTuple):
    """`takes`: a message was accepted."""

    onprem_says: bool
    onprem_takes: bool
    cloud_says: bool
    cloud_takes: bool


@settings(max_examples=300, deadline=None)
@given(story=stories, world=worlds, kind=kinds, chosen=switches)
def test_no_history_leaves_a_number_on_two_platforms(
    story: list[tuple[Any, ...]], world: str, kind: str, chosen: dict[str, Any]
) -> None:
    told = Story(kind, world, chosen)
    for step in story:
        told.take(step)
        number = told.far.number
        lagging = number.lagging_until is not None and told.far.clock.at < number.lagging_until
        lagging = lagging or told.far.sandbox.world.switches.read_lag_s > 0
        seen = told.witnesses()
        assert not (seen.onprem_takes and seen.cloud_takes)
        assert not (seen.onprem_says and seen.cloud_takes)
        assert not (seen.onprem_takes and seen.cloud_says) or lagging
        assert not (seen.onprem_says and seen.cloud_says) or lagging
        assert seen.onprem_takes <= seen.onprem_says
        assert seen.cloud_takes <= seen.cloud_says or lagging
        # The oracle's truth is what the two say.
        assert seen.onprem_says == (number.side == "on_premises")
        assert seen.cloud_takes <= (number.side == "cloud") <= (seen.cloud_says or lagging)
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
