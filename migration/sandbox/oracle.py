"""`/_sandbox/...`: the truth, and the controls. JSON in and out; nothing of Meta's in here."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration.sandbox import deployments, messaging
from migration.sandbox.faults import BadFault
from migration.sandbox.senders import BEHAVIOURS, EVENTS, HookAnswer
from migration.sandbox.wire import Answer, Request, Target, answer_json

if TYPE_CHECKING:
    from migration.sandbox.app import Sandbox


class Wrong(Exception):
    """A control call that cannot be carried out; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def identify(sandbox: "Sandbox", request: Request) -> Target | None:
    """Calls to the partner's own systems are recorded like those to Meta. None: an oracle call."""
    parts = request.parts[1:]
    if request.method == "POST" and parts == ["senders", "hook"]:
        told = request.json()
        told = told if isinstance(told, dict) else {}
        name = told["event"] if told.get("event") in EVENTS else "hook"
        number = sandbox.world.numbers.get(str(told.get("e164")))
        return Target("hook", name, lambda: _hook(sandbox, request, told), True, number)
    if request.method == "POST" and parts[:1] == ["instances"] and len(parts) == 2:
        told = request.json()
        what = str(told.get("do")) if isinstance(told, dict) else "None"
        client = sandbox.world.instances.get(parts[1])
        number = sandbox.world.number_of(client) if client is not None else None
        return Target("command", f"command.{what}", lambda: _instance(sandbox, parts[1], what), True, number)
    return None


def answer(sandbox: "Sandbox", request: Request) -> Answer:
    parts = request.parts[1:]
    handler = ROUTES.get((request.method, parts[0] if parts else ""))
    try:
        if parts[:2] == ["senders", "asks"] and len(parts) == 3:
            return _ask(sandbox, parts[2])
        if handler is None or len(parts) > 1:
            return answer_json({"error": f"the sandbox has no {request.method} {request.path}"}, 404)
        return answer_json(handler(sandbox, request))
    except Wrong as wrong:
        return answer_json({"error": wrong.text}, wrong.status)


def _told(request: Request) -> dict[str, Any]:
    """The body, which has to be a JSON object."""
    told = request.json() if request.body else {}
    if not isinstance(told, dict):
        raise Wrong(400, "the body is not a JSON object")
    return told


def _whole(request: Request, name: str) -> int | None:
    value = request.queried().get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise Wrong(400, f"{name} is not a whole number")
    return int(value)


def _e164(sandbox: "Sandbox", given: Any) -> str:
    e164 = "+" + str(given or "").strip().lstrip("+")
    if e164 not in sandbox.world.numbers:
        raise Wrong(404, "no such number")
    return e164


# -- the truth


def _calls(sandbox: "Sandbox", request: Request) -> Any:
    calls = sandbox.world.log.since(_whole(request, "since") or 0, _whole(request, "limit"))
    return {"calls": [call.as_json() for call in calls]}


def _world(sandbox: "Sandbox", request: Request) -> Any:
    world = sandbox.world
    rows = [world.describe(number) for number in world.numbers.values()]
    return {"now": world.now().isoformat(), "world": world.kind, "seed": world.seed, "numbers": rows}


def _sms(sandbox: "Sandbox", request: Request) -> Any:
    number = sandbox.world.number(_e164(sandbox, request.queried().get("e164")))
    return {"codes": [code.as_json(sandbox.world.now()) for code in number.phone.codes]}


def _fleet(sandbox: "Sandbox", request: Request) -> Any:
    return sandbox.manifest(request.base)


def _senders(sandbox: "Sandbox", request: Request) -> Any:
    world = sandbox.world
    rows = [{"e164": e164} | world.number(e164).sender.as_json() for e164 in world.numbers]
    return {"senders": rows}


# -- the controls


def _faults(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    rows = told.get("faults", [told] if "kind" in told else None)  # a single fault may come without its list
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Wrong(400, "the body has no list of faults")
    try:
        sandbox.faults.extend(rows)
    except BadFault as bad:
        raise Wrong(400, str(bad)) from None
    return _show_faults(sandbox, request)


def _show_faults(sandbox: "Sandbox", request: Request) -> Any:
    return {"faults": [fault.as_json() for fault in sandbox.faults]}


def _clear_faults(sandbox: "Sandbox", request: Request) -> Any:
    sandbox.faults.clear()
    return {"faults": []}


def _clock(sandbox: "Sandbox", request: Request) -> Any:
    seconds = _told(request).get("advance_s")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise Wrong(400, "advance_s has to be a number of seconds, not negative")
    sandbox.world.advance(seconds)
    return {"now": sandbox.world.now().isoformat()}


def _inbound(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    number = sandbox.world.number(_e164(sandbox, told.get("e164")))
    taken = messaging.inbound(sandbox.world, number, str(told.get("from") or "+15005550006"))
    return {"delivered_to": taken}


def _set_senders(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    behaviour = told.get("behaviour", "obey")
    if behaviour not in BEHAVIOURS:
        raise Wrong(400, f"behaviour is one of {', '.join(BEHAVIOURS)}")
    drain_s = told.get("drain_s")
    if drain_s is not None and (isinstance(drain_s, bool) or not isinstance(drain_s, int | float)):
        raise Wrong(400, "drain_s is a number of seconds")
    world = sandbox.world
    chosen = [_e164(sandbox, told["e164"])] if told.get("e164") else list(world.numbers)
    for e164 in chosen:
        sender = world.number(e164).sender
        sender.behaviour = behaviour
        sender.drain_s = sender.drain_s if drain_s is None else float(drain_s)
    return {"changed": len(chosen)}


def _instance(sandbox: "Sandbox", instance_id: str, what: str) -> Answer:
    """What a named command does. 409: it was carried out and failed, as commands do."""
    client = sandbox.world.instances.get(instance_id)
    if client is None:
        return answer_json({"error": "no such instance"}, 404)
    try:
        done = deployments.act(sandbox.world, client, what)
    except ValueError as bad:
        return answer_json({"error": str(bad)}, 400)
    if not done:
        return answer_json({"error": f"the {what} command failed"}, 409)
    number = sandbox.world.number_of(client)
    state = number.instance if number is not None else "none"
    return answer_json({"instance": client.id, "state": state}, effect=True)


# -- the partner's traffic hook


def _hook(sandbox: "Sandbox", request: Request, told: dict[str, Any]) -> Answer:
    """The same key gets the same answer again, and has no second effect."""
    hook = sandbox.world.hook
    if not hook.signed(request.body, request.headers.get("x-cutover-signature-256", "")):
        return answer_json({"error": "the signature is wrong"}, 401)
    key = request.headers.get("idempotency-key")
    if not key or told.get("event") not in EVENTS or str(told.get("e164")) not in sandbox.world.numbers:
        return answer_json({"error": "an Idempotency-Key, a known event and a known e164 are needed"}, 400)
    given = hook.answers.get(key)
    if given is not None:
        return answer_json(given.body, given.status)
    try:
        given = hook.answers[key] = _obey(sandbox, request, key, told)
    except ValueError:
        return answer_json({"error": "deadline is not an ISO time with its zone"}, 400)
    return answer_json(given.body, given.status, effect=given.status != 409)


def _obey(sandbox: "Sandbox", request: Request, key: str, told: dict[str, Any]) -> HookAnswer:
    world = sandbox.world
    number = world.number(str(told["e164"]))  # its sender has caught up to now
    sender, now = number.sender, world.now()
    match told["event"]:
        case "pause_sends":
            if sender.behaviour == "veto":
                return HookAnswer(409, {"state": "vetoed", "reason": "a campaign is running"})
            if not sender.pause(now, _time(told.get("deadline"))):
                ticket = world.hook.ticket(key, number.e164)
                return HookAnswer(202, {"state": "draining", "ask": f"{request.base}/_sandbox/senders/asks/{ticket}"})
        case "switch_route":
            sender.switch(str(told.get("to") or "cloud"))
        case _:
            sender.resume(now)
    return HookAnswer(200, {"state": "done"})


def _time(value: Any) -> datetime | None:
    """Raises ValueError."""
    if value is None:
        return None
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError
    return at.astimezone(UTC)


def _ask(sandbox: "Sandbox", ticket: str) -> Answer:
    e164 = sandbox.world.hook.asks.get(ticket)
    if e164 is None:
        raise Wrong(404, "nothing was promised under this address")
    if sandbox.world.number(e164).sender.draining:
        return answer_json({"state": "draining"}, 202)
    return answer_json({"state": "done"})


ROUTES: dict[tuple[str, str], Callable[["Sandbox", Request], Any]] = {
    ("GET", "calls"): _calls,
    ("GET", "world"): _world,
    ("GET", "sms"): _sms,
    ("GET", "fleet"): _fleet,
    ("GET", "senders"): _senders,
    ("POST", "senders"): _set_senders,
    ("GET", "faults"): _show_faults,
    ("POST", "faults"): _faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "clock"): _clock,
    ("POST", "inbound"): _inbound,
}
