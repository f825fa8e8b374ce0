"""The partner's traffic hook, which tells its senders when to stop and to which side to send."""

from datetime import UTC, datetime
from typing import Any

from sandbox.errors import ControlError
from sandbox.wire import Request, Response, json_response
from sandbox.world.senders import EVENTS, IN_FLIGHT, HookResponse
from sandbox.world.world import World


def handle_event(world: World, request: Request, body: dict[str, Any]) -> Response:
    """A repeated idempotency key gets the same response again, and has no second effect."""
    hook = world.hook
    key = request.headers.get("idempotency-key", "")
    signature, timestamp = (request.headers.get(f"x-cutover-{name}", "") for name in ("signature-256", "timestamp"))
    if not hook.is_signed(request.body, signature, timestamp, key):
        return json_response({"error": "the signature is wrong"}, 401)
    if not key or body.get("event") not in EVENTS or str(body.get("e164")) not in world.numbers:
        return json_response({"error": "an Idempotency-Key, a known event and a known e164 are needed"}, 400)
    response = hook.responses.get(key)
    if response is not None:
        return json_response(response.body, response.status)
    try:
        response = hook.responses[key] = _obey(world, request, key, body)
    except ValueError:
        return json_response({"error": "deadline is not an ISO time with its zone"}, 400)
    return json_response(response.body, response.status, effect=response.status != 409)


def _obey(world: World, request: Request, key: str, body: dict[str, Any]) -> HookResponse:
    number = world.number(str(body["e164"]))  # brings its sender up to date
    sender, now = number.sender, world.now()
    home = str(body["home"]).partition(".")[0] if "home" in body else None  # without the mark of a restore
    conflict = sender.conflict(home, str(body.get("from")))
    if conflict is not None:
        if body["event"] == "resume_sends":
            return HookResponse(200, {"state": "done"})  # that home has nothing paused here
        return HookResponse(409, {"state": "vetoed", "reason": conflict})
    sender.home = home or sender.home
    migration, epoch = body.get("migration_id"), body.get("epoch")
    if isinstance(migration, int) and isinstance(epoch, int):
        overtaken = sender.is_overtaken(str(body.get("home")), migration, epoch)
    else:
        overtaken = False
    if overtaken:
        return HookResponse(200, {"state": "done"})  # a newer message has come before this one
    match body["event"]:
        case "pause_sends":
            if sender.behaviour == "veto" and (sender.veto_until is None or now < sender.veto_until):
                ending = {"until": sender.veto_until.isoformat()} if sender.veto_until is not None else {}
                return HookResponse(409, {"state": "vetoed", "reason": "a campaign is running", **ending})
            # Once its number may be dark, a pause that nobody renews goes on: the old side may be dead.
            deadline = None if body.get("after_deadline") == "stay" else _time(body.get("deadline"))
            if not sender.pause(now, deadline):
                ticket = world.hook.ticket(key, number.e164)
                ask = f"{request.base}/_sandbox/senders/asks/{ticket}"
                until = sender.stops_at.isoformat() if sender.stops_at is not None else None
                return HookResponse(202, {"state": "draining", "ask": ask, "in_flight": IN_FLIGHT, "until": until})
        case "switch_route":
            sender.switch(str(body.get("to") or "cloud"))
        case _:
            sender.resume(now)
    return HookResponse(200, {"state": "done"})


def _time(value: Any) -> datetime | None:
    """Raises ValueError for a text that is no time with its zone."""
    if value is None:
        return None
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError
    return at.astimezone(UTC)


def drain_status(world: World, ticket: str) -> Response:
    """The response at an `ask` URL. Raises ControlError for an unknown ticket."""
    e164 = world.hook.tickets.get(ticket)
    if e164 is None:
        raise ControlError(404, "nothing was promised under this address")
    if world.number(e164).sender.draining:
        return json_response({"state": "draining"}, 202)
    return json_response({"state": "done"})
