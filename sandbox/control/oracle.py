"""`/_sandbox/...`: the truth, and the controls. JSON in and out; nothing of Meta's in here."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox import call_names as routes
from sandbox.control import traffic_hook as partner
from sandbox.errors import Wrong
from sandbox.faults import LONGEST_S, BadFault, read
from sandbox.onprem import deployments
from sandbox.wire import Answer, Request, Target, answer_json
from sandbox.world import credentials, messaging
from sandbox.world import whatsapp_manager as manager
from sandbox.world.senders import BEHAVIOURS, EVENTS, QUEUES

if TYPE_CHECKING:
    from sandbox.app import Sandbox

# The calendar has an end, and a rehearsal does not need it: the clock is moved by at most a hundred years a call, and
# not beyond this day.
FURTHEST_S = 100 * 366 * 86_400
LAST_DAY = datetime(2300, 1, 1, tzinfo=UTC)
# Digits of the largest number in a question: more than calls will ever be.
LONGEST_NUMBER = 18


def identify(sandbox: "Sandbox", request: Request) -> Target | None:
    """Calls to the partner's own systems are recorded like those to Meta. None: an oracle call."""
    parts = request.parts[1:]
    if request.method == "POST" and parts == ["senders", "hook"]:
        told = request.json()
        told = told if isinstance(told, dict) else {}
        name = told["event"] if told.get("event") in EVENTS else "hook"
        number = sandbox.world.numbers.get(str(told.get("e164")))
        return Target("hook", name, lambda: partner.hook(sandbox.world, request, told), True, number)
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
            return partner.asked(sandbox.world, parts[2])
        if handler is None or len(parts) > 1:
            return answer_json({"error": f"the sandbox has no {request.method} {request.path}"}, 404)
        told = handler(sandbox, request)
        return told if isinstance(told, Answer) else answer_json(told)
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
    if not (value.isdecimal() and len(value) <= LONGEST_NUMBER):
        raise Wrong(400, f"{name} is not a whole number")
    return int(value)


def _e164(sandbox: "Sandbox", given: Any) -> str:
    e164 = "+" + str(given or "").strip().lstrip("+")
    if e164 not in sandbox.world.numbers:
        raise Wrong(404, "no such number")
    return e164


# -- the truth


def _calls(sandbox: "Sandbox", request: Request) -> Any:
    """Written as it is read: a long record is not taken apart and put together again."""
    body = bytearray(b'{"calls":[')
    for line in sandbox.world.log.lines(_whole(request, "since") or 0, _whole(request, "limit")):
        body += line.encode() + b","
    return Answer(200, bytes(body).rstrip(b",") + b"]}", {"content-type": "application/json; charset=UTF-8"})


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
    unknown = [row["route"] for row in rows if not routes.known(row.get("route") or routes.ANY)]
    if unknown:
        raise Wrong(400, f"no call has the route {unknown[0]!r}; there are: {', '.join(routes.names())}")
    try:
        wanted = [read(row).e164 for row in rows]
        if any(e164 is not None and e164 not in sandbox.world.numbers for e164 in wanted):
            raise Wrong(404, "no such number")
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
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= FURTHEST_S:
        raise Wrong(400, f"advance_s has to be a number of seconds, not negative, at most {FURTHEST_S}")
    if seconds > (LAST_DAY - sandbox.world.now()).total_seconds():
        raise Wrong(400, f"the clock goes on to {LAST_DAY:%Y-%m-%d} and not beyond")
    sandbox.world.advance(seconds)
    return {"now": sandbox.world.now().isoformat()}


def _inbound(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    number = sandbox.world.number(_e164(sandbox, told.get("e164")))
    consumer, text = told.get("from", "+15005550006"), told.get("text", "Hello")
    if not isinstance(consumer, str) or not 6 <= sum(char.isdecimal() for char in consumer) <= 15:
        raise Wrong(400, "from is a phone number, as a text")
    if not isinstance(text, str):
        raise Wrong(400, "text is a text")
    return {"delivered_to": messaging.inbound(sandbox.world, number, consumer, text)}


def _webhooks(sandbox: "Sandbox", request: Request) -> Any:
    outbox = sandbox.world.outbox
    due = outbox.next_due()
    return {
        "waiting": len(outbox),
        "under_way": outbox.under_way,
        "next_due": due.isoformat() if due is not None else None,
        "counts": dict(outbox.counts),
        "recent": list(outbox.recent),
    }


def _manager(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    if str(told.get("do")) in credentials.ACTIONS:
        return credentials.act(sandbox.world, told)
    number = sandbox.world.number(_e164(sandbox, told.get("e164")))
    return manager.act(sandbox.world, number, told)


def _set_senders(sandbox: "Sandbox", request: Request) -> Any:
    told = _told(request)
    behaviour = told.get("behaviour")
    if behaviour is not None and behaviour not in BEHAVIOURS:
        raise Wrong(400, f"behaviour is one of {', '.join(BEHAVIOURS)}")
    drain_s = told.get("drain_s")
    if drain_s is not None and (
        isinstance(drain_s, bool) or not isinstance(drain_s, int | float) or not 0 <= drain_s <= LONGEST_S
    ):
        raise Wrong(400, f"drain_s is a number of seconds from 0 to {LONGEST_S}")
    queue = told.get("queue")
    if queue is not None and queue not in QUEUES:
        raise Wrong(400, f"queue is one of {', '.join(QUEUES)}")
    world = sandbox.world
    chosen = [_e164(sandbox, told["e164"])] if told.get("e164") is not None else list(world.numbers)
    for e164 in chosen:
        sender = world.number(e164).sender
        sender.behaviour, sender.queue = behaviour or sender.behaviour, queue or sender.queue
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
    state = deployments.state(sandbox.world, client).name
    return answer_json({"instance": client.id, "state": state}, effect=True)


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
    ("GET", "webhooks"): _webhooks,
    ("POST", "manager"): _manager,
}
