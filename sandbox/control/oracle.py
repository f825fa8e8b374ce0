"""`/_sandbox/...`: the true state of the world, and the controls. JSON in and out; none of these routes is Meta's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox import call_names
from sandbox.control import traffic_hook
from sandbox.errors import ControlError
from sandbox.faults import LONGEST_S, BadFault, Faults, parse_fault
from sandbox.onprem import deployments
from sandbox.wire import Request, Response, RoutedCall, json_response
from sandbox.world import credentials, messaging, sent_webhooks, whatsapp_manager
from sandbox.world.senders import BEHAVIOURS, EVENTS, QUEUES
from sandbox.world.world import World

# Python's calendar ends, and no rehearsal needs its end: one call moves the clock by at most a hundred years, and never
# beyond this day.
FURTHEST_S = 100 * 366 * 86_400
LAST_DAY = datetime(2300, 1, 1, tzinfo=UTC)
# Digits of the largest number in a query: more than there will ever be calls.
LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Oracle:
    """What the calls below read and change. `manifest` gives the manifest with addresses under a base URL."""

    world: World
    faults: Faults
    manifest: Callable[[str], dict[str, Any]]


def identify(oracle: Oracle, request: Request) -> RoutedCall | None:
    """A call to the partner's own systems, which is recorded like one to Meta. None for an oracle call."""
    parts = request.parts[1:]
    if request.method != "POST":
        return None
    if parts == ["senders", "hook"]:
        return _hook_call(oracle.world, request)
    if parts[:1] == ["instances"] and len(parts) == 2:
        return _command_call(oracle.world, request, parts[1])
    return None


def _hook_call(world: World, request: Request) -> RoutedCall:
    body = request.json()
    body = body if isinstance(body, dict) else {}
    name = body["event"] if body.get("event") in EVENTS else "hook"
    number = world.numbers.get(str(body.get("e164")))
    return RoutedCall("hook", name, lambda: traffic_hook.handle_event(world, request, body), True, number)


def _command_call(world: World, request: Request, instance_id: str) -> RoutedCall:
    body = request.json()
    action = str(body.get("do")) if isinstance(body, dict) else "None"
    instance = world.instances.get(instance_id)
    number = world.number_of(instance) if instance is not None else None
    return RoutedCall("command", f"command.{action}", lambda: _run_command(world, instance_id, action), True, number)


def _run_command(world: World, instance_id: str, action: str) -> Response:
    """What a named command does. 409: it ran and failed, as commands do."""
    instance = world.instances.get(instance_id)
    if instance is None:
        return json_response({"error": "no such instance"}, 404)
    try:
        done = deployments.run_action(world, instance, action)
    except ValueError as bad:
        return json_response({"error": str(bad)}, 400)
    if not done:
        return json_response({"error": f"the {action} command failed"}, 409)
    return json_response({"instance": instance.id, "state": deployments.state_now(world, instance).name}, effect=True)


def respond(oracle: Oracle, request: Request) -> Response:
    """The response to an oracle call."""
    parts = request.parts[1:]
    handler = ROUTES.get((request.method, parts[0] if parts else ""))
    try:
        if parts[:2] == ["senders", "asks"] and len(parts) == 3:
            return traffic_hook.drain_status(oracle.world, parts[2])
        if handler is None or len(parts) > 1:
            return json_response({"error": f"the sandbox has no {request.method} {request.path}"}, 404)
        payload = handler(oracle, request)
        return payload if isinstance(payload, Response) else json_response(payload)
    except ControlError as wrong:
        return json_response({"error": wrong.text}, wrong.status)


def _body(request: Request) -> dict[str, Any]:
    """Raises ControlError for a body that is not a JSON object; no body is an empty one."""
    body = request.json() if request.body else {}
    if not isinstance(body, dict):
        raise ControlError(400, "the body is not a JSON object")
    return body


def _whole(request: Request, name: str) -> int | None:
    """A parameter of the query as a whole number. Raises ControlError."""
    value = request.query_params().get(name)
    if value is None:
        return None
    if not (value.isdecimal() and len(value) <= LONGEST_NUMBER):
        raise ControlError(400, f"{name} is not a whole number")
    return int(value)


def _e164(world: World, value: Any) -> str:
    """The e164 of a number of this fleet, with its `+`. Raises ControlError."""
    e164 = "+" + str(value or "").strip().lstrip("+")
    if e164 not in world.numbers:
        raise ControlError(404, "no such number")
    return e164


# -- reads


def _calls(oracle: Oracle, request: Request) -> Response:
    """The recorded lines are JSON already; a long record is not parsed and written again."""
    body = bytearray(b'{"calls":[')
    for line in oracle.world.log.lines(_whole(request, "since") or 0, _whole(request, "limit")):
        body += line.encode() + b","
    return Response(200, bytes(body).rstrip(b",") + b"]}", {"content-type": "application/json; charset=UTF-8"})


def _world(oracle: Oracle, request: Request) -> dict[str, Any]:
    world = oracle.world
    rows = [world.describe(number) for number in world.numbers.values()]
    return {"now": world.now().isoformat(), "world": world.kind, "seed": world.seed, "numbers": rows}


def _sms(oracle: Oracle, request: Request) -> dict[str, Any]:
    world = oracle.world
    number = world.number(_e164(world, request.query_params().get("e164")))
    return {"codes": [code.as_json(world.now()) for code in number.phone.codes]}


def _fleet(oracle: Oracle, request: Request) -> dict[str, Any]:
    return oracle.manifest(request.base)


def _senders(oracle: Oracle, request: Request) -> dict[str, Any]:
    world = oracle.world
    return {"senders": [{"e164": e164} | world.number(e164).sender.as_json() for e164 in world.numbers]}


def _show_faults(oracle: Oracle, request: Request) -> dict[str, Any]:
    return {"faults": [fault.as_json() for fault in oracle.faults]}


def _webhooks(oracle: Oracle, request: Request) -> dict[str, Any]:
    outbox = oracle.world.outbox
    due = outbox.next_due()
    return {
        "waiting": len(outbox),
        "under_way": outbox.under_way,
        "next_due": due.isoformat() if due is not None else None,
        "counts": dict(outbox.counts),
        "recent": list(outbox.recent),
    }


# -- controls


def _add_faults(oracle: Oracle, request: Request) -> dict[str, Any]:
    body = _body(request)
    rows = body.get("faults", [body] if "kind" in body else None)  # one fault may come without a list around it
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ControlError(400, "the body has no list of faults")
    unknown = [row["route"] for row in rows if not call_names.known(row.get("route") or call_names.ANY)]
    if unknown:
        raise ControlError(400, f"no call has the route {unknown[0]!r}; there are: {', '.join(call_names.names())}")
    try:
        e164s = [parse_fault(row).e164 for row in rows]
        if any(e164 is not None and e164 not in oracle.world.numbers for e164 in e164s):
            raise ControlError(404, "no such number")
        oracle.faults.extend(rows)
    except BadFault as bad:
        raise ControlError(400, str(bad)) from None
    return _show_faults(oracle, request)


def _clear_faults(oracle: Oracle, request: Request) -> dict[str, Any]:
    oracle.faults.clear()
    return {"faults": []}


def _advance_clock(oracle: Oracle, request: Request) -> dict[str, Any]:
    seconds = _body(request).get("advance_s")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= FURTHEST_S:
        raise ControlError(400, f"advance_s has to be a number of seconds, not negative, at most {FURTHEST_S}")
    if seconds > (LAST_DAY - oracle.world.now()).total_seconds():
        raise ControlError(400, f"the clock goes on to {LAST_DAY:%Y-%m-%d} and not beyond")
    oracle.world.advance(seconds)
    return {"now": oracle.world.now().isoformat()}


def _inbound(oracle: Oracle, request: Request) -> dict[str, Any]:
    body, world = _body(request), oracle.world
    number = world.number(_e164(world, body.get("e164")))
    consumer, text = body.get("from", "+15005550006"), body.get("text", "Hello")
    if not isinstance(consumer, str) or not 6 <= sum(char.isdecimal() for char in consumer) <= 15:
        raise ControlError(400, "from is a phone number, as a text")
    if not isinstance(text, str):
        raise ControlError(400, "text is a text")
    return {"delivered_to": messaging.inbound(world, number, consumer, text)}


def _send_webhook(oracle: Oracle, request: Request) -> dict[str, Any]:
    body, world = _body(request), oracle.world
    return sent_webhooks.send(world, world.number(_e164(world, body.get("e164"))), body)


def _run_manager_action(oracle: Oracle, request: Request) -> dict[str, Any]:
    body, world = _body(request), oracle.world
    if str(body.get("do")) in credentials.ACTIONS:
        return credentials.act(world, body)
    return whatsapp_manager.act(world, world.number(_e164(world, body.get("e164"))), body)


def _set_senders(oracle: Oracle, request: Request) -> dict[str, Any]:
    body, world = _body(request), oracle.world
    behaviour, queue, drain_s = body.get("behaviour"), body.get("queue"), body.get("drain_s")
    if behaviour is not None and behaviour not in BEHAVIOURS:
        raise ControlError(400, f"behaviour is one of {', '.join(BEHAVIOURS)}")
    if drain_s is not None and (
        isinstance(drain_s, bool) or not isinstance(drain_s, int | float) or not 0 <= drain_s <= LONGEST_S
    ):
        raise ControlError(400, f"drain_s is a number of seconds from 0 to {LONGEST_S}")
    veto_s = body.get("veto_s")
    if veto_s is not None and (
        isinstance(veto_s, bool) or not isinstance(veto_s, int | float) or not 0 <= veto_s <= LONGEST_S
    ):
        raise ControlError(400, f"veto_s is a number of seconds from 0 to {LONGEST_S}")
    if queue is not None and queue not in QUEUES:
        raise ControlError(400, f"queue is one of {', '.join(QUEUES)}")
    e164s = [_e164(world, body["e164"])] if body.get("e164") is not None else list(world.numbers)
    for e164 in e164s:
        sender = world.number(e164).sender
        sender.behaviour, sender.queue = behaviour or sender.behaviour, queue or sender.queue
        sender.veto_until = world.now() + timedelta(seconds=veto_s) if veto_s is not None else sender.veto_until
        sender.drain_s = sender.drain_s if drain_s is None else float(drain_s)
    return {"changed": len(e164s)}


ROUTES: dict[tuple[str, str], Callable[[Oracle, Request], Response | dict[str, Any]]] = {
    ("GET", "calls"): _calls,
    ("GET", "world"): _world,
    ("GET", "sms"): _sms,
    ("GET", "fleet"): _fleet,
    ("GET", "senders"): _senders,
    ("POST", "senders"): _set_senders,
    ("GET", "faults"): _show_faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "clock"): _advance_clock,
    ("POST", "inbound"): _inbound,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _send_webhook,
    ("POST", "manager"): _run_manager_action,
}
