"""Whatever anybody calls in whatever order: one platform at a time, nothing breaks, and a seed tells it again."""

import json
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args, get_origin

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.app import Sandbox
from sandbox.onprem.operator_actions import ACTIONS as HANDS
from sandbox.open_questions import switch_specs
from sandbox.scenarios.kinds import KINDS, TYPES
from sandbox.scenarios.scenario_file import read
from sandbox.wire import Request
from sandbox.world.number import certificate
from sandbox.world.webhooks import Delivery
from sandbox.world.whatsapp_manager import ACTIONS
from tests.sandbox.partner import CODE, Clock, Far

SEES_ALL = "EAAGwitness"
AS_WITNESS = {"authorization": f"Bearer {SEES_ALL}"}
PINS = ("right", "000000", "12", None)
BACKUPS = ("none", "fresh", "kept", "garbled")

# Most of what there is to find comes after a move that went well, and on the ways back from it.
went_well = st.sampled_from([("register", "right", "fresh"), ("come_back",), ("restored",), ("verified",)])
steps = st.one_of(
    went_well,
    went_well,
    st.tuples(st.just("register"), st.sampled_from(PINS), st.sampled_from(BACKUPS)),
    st.tuples(st.sampled_from(["deregister", "request_code", "verify", "wrong_code", "set_pin", "message", "wait"])),
    st.tuples(st.sampled_from(["back_up", "restore", "account", "verify_account", "two_step", "two_step_off"])),
    st.just(("other_client",)),
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
# A fleet may be found in any state: a few parts of a row, whether they go together or not.
PARTS = {
    name: (True, False) if kind is bool else get_args(kind)
    for name, kind in TYPES.items()
    if kind is bool or get_origin(kind) is Literal
}
# What a switch that takes any number is set to.
SOME_NUMBERS = ("0", "1", "8", "90")
SOME_SHARES = ("0", "0.5", "1")


rows = st.lists(st.sampled_from(sorted(PARTS)), unique=True, max_size=2).flatmap(
    lambda chosen: st.fixed_dictionaries({"kind": kinds} | {name: st.sampled_from(PARTS[name]) for name in chosen})
)


def _value_of(name: str) -> st.SearchStrategy[str]:
    spec = switch_specs()[name]
    return st.sampled_from(spec.texts or (SOME_SHARES if spec.most == 1 else SOME_NUMBERS))


# Any switch, to any of its values.
switches = st.lists(st.sampled_from(tuple(switch_specs())), unique=True, max_size=8).flatmap(
    lambda chosen: st.fixed_dictionaries({name: _value_of(name) for name in chosen})
)


class Story:
    """Tells a history to a sandbox, one raw request after another."""

    def __init__(self, row: dict[str, Any], world: str, chosen: dict[str, Any]) -> None:
        clock, fleet = Clock(), {"world": world, "seed": 7, "switches": chosen, "numbers": [row]}
        self.far = Far(Sandbox.from_scenario(read(json.dumps(fleet)), now=clock.now), clock)
        number = self.far.number
        self.clients = [one for one in (number.instance_id, number.spare_id) if one is not None]
        self.far.sandbox.world.calls_take_time = True
        self.kept: dict[str, str] | None = None
        self.heard: list[str] = []
        self.answered: list[tuple[int, bytes, str | None]] = []
        self.looks = 0
        tokens = self.far.sandbox.world.tokens
        tokens[SEES_ALL] = replace(tokens[self.far.manifest["token"]], value=SEES_ALL)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        told = {"authorization": f"Bearer {self.far.manifest['token']}"} | headers
        raw = json.dumps(body).encode() if body is not None else b""
        answer = self.far.sandbox.handle(Request.of(method, path, told, raw, "http://sandbox"))
        self.answered.append((answer.status, answer.body, answer.drop))
        assert b"The sandbox failed" not in answer.body, f"{method} {path} {body}"
        try:
            return json.loads(answer.body) if answer.drop is None else {}
        except ValueError:
            return {}

    def phone(self, edge: str, body: Any = None) -> Any:
        return self.send("POST", f"/{self.far.row['phone_number_id']}/{edge}".rstrip("/"), body)

    def onprem(self, method: str, path: str, body: Any = None, at: int = 0) -> Any:
        if not self.clients:
            return {}
        client = self.far.sandbox.world.instances[self.clients[at]]
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
                self.do(what)
            case ("fault", kind):
                self.far.sandbox.faults.add(route="register", kind=kind)
            case (("come_back" | "restored" | "verified" | "other_client") as what,):
                self._in_one_go(what)
            case (("manager" | "webhooks") as where, what):
                self._beside(where, what)
            case (("account" | "verify_account" | "two_step" | "two_step_off" | "back_up" | "restore") as what,):
                self._registration(what)
            case (what,):
                self._graph(what)

    def do(self, what: str) -> None:
        if self.clients:
            self.send("POST", f"/_sandbox/instances/{self.clients[0]}", {"do": what})

    def _in_one_go(self, what: str) -> None:
        """What takes several calls in this order; by chance alone it would hardly ever be told."""
        match what:
            case "other_client":
                self.clients.reverse()
            case "come_back":
                self._registration("account")
                self._registration("verify_account")
            case "restored":
                self.do("wipe")
                self._registration("restore")
            case _:
                self._graph("request_code")
                self._graph("verify")

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
                body = {"cc": e164[1:3], "phone_number": e164[3:], "method": "sms", "cert": certificate(number)}
                self.onprem("POST", "account", body | ({"pin": number.pin} if number.pin is not None else {}))
            case "verify_account":
                codes = self.far.sandbox.sms(e164)
                self.onprem("POST", "account/verify", {"code": codes[-1] if codes else ""})
            case "back_up":
                self.kept = self._back_up() or self.kept
            case "restore":
                self.onprem("POST", "settings/restore", self.kept or {})
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
        if backup == "fresh":
            self.kept = self._back_up() or self.kept
        taken = None if backup == "none" else self.kept
        if taken is not None:
            body["backup"] = taken | ({"data": taken["data"][::-1]} if backup == "garbled" else {})
        self.phone("register", body)

    def witnesses(self) -> "Witnesses":
        """What either side says of the number, and whether it takes a message: as a client finds out."""
        for name in self.clients:
            self.far.sandbox.world.instances[name].firewalled = False  # for a look; the story puts it up again
        says = [self._connected(at) for at in range(len(self.clients))]
        self.far.sandbox.world.tokens[SEES_ALL].wabas = None  # also where the partner was removed
        shown = self.send("GET", f"/{self.far.row['phone_number_id']}?fields=platform_type", **AS_WITNESS)
        self.looks += 1
        to = f"49151{self.looks:07d}"
        template = {"namespace": "n", "name": "smoke_test", "language": {"code": "en"}}
        message = {"to": to, "type": "template", "template": template}
        cloud = message | {"messaging_product": "whatsapp"}
        kept = self.far.sandbox.world.switches.messages_while_disconnected == "queued"
        takes = ["messages" in self.onprem("POST", "messages", message, at) for at in range(len(self.clients))]
        return Witnesses(
            sum(says),
            # A client may take what it cannot send, and keep it.
            sum(taken and (serves or not kept) for taken, serves in zip(takes, says, strict=True)),
            shown.get("platform_type") == "CLOUD_API",
            "messages" in self.send("POST", f"/{self.far.row['phone_number_id']}/messages", cloud, **AS_WITNESS),
        )

    def _connected(self, at: int) -> bool:
        health = self.onprem("GET", "health", at=at).get("health", {})
        nodes = [node for node in health.values() if isinstance(node, dict)] or [health]
        return "connected" in {node.get("gateway_status") for node in nodes}


class Witnesses(NamedTuple):
    """`takes`: a message was accepted. Of its On-Premises clients: how many say so, and take one."""

    onprem_says: int
    onprem_takes: int
    cloud_says: bool
    cloud_takes: bool


@settings(max_examples=300, deadline=None)
@given(story=stories, world=worlds, row=rows, spare=st.booleans(), chosen=switches)
def test_no_history_leaves_a_number_on_two_platforms(
    story: list[tuple[Any, ...]], world: str, row: dict[str, Any], spare: bool, chosen: dict[str, Any]
) -> None:
    told = Story(row | {"spare_client": spare}, world, chosen)
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
        assert seen.onprem_takes <= seen.onprem_says <= 1
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
    switches = {"register_seconds": 5, "webhook_jitter_s": 10, "webhook_duplicates": 0.5}
    histories = []
    for _ in range(2):
        told = Story({"kind": kind, "spare_client": True}, "open", switches)
        for step in story:
            told.take(step)
            told.witnesses()
        record = json.dumps([call.as_json() for call in told.far.sandbox.world.calls])
        truth = told.far.sandbox.world.describe(told.far.number)
        histories.append((told.answered, record, told.heard, truth))
    assert histories[0] == histories[1]
