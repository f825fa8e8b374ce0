"""The partner's own systems: its traffic hook, which tells its senders when to stop and where to send next."""

from datetime import UTC, datetime
from typing import Any

from sandbox.errors import Wrong
from sandbox.wire import Answer, Request, answer_json
from sandbox.world.senders import EVENTS, HookAnswer
from sandbox.world.world import World


def hook(world: World, request: Request, told: dict[str, Any]) -> Answer:
    """The same key gets the same answer again, and has no second effect."""
    senders = world.hook
    if not senders.signed(request.body, request.headers.get("x-cutover-signature-256", "")):
        return answer_json({"error": "the signature is wrong"}, 401)
    key = request.headers.get("idempotency-key")
    if not key or told.get("event") not in EVENTS or str(told.get("e164")) not in world.numbers:
        return answer_json({"error": "an Idempotency-Key, a known event and a known e164 are needed"}, 400)
    given = senders.answers.get(key)
    if given is not None:
        return answer_json(given.body, given.status)
    try:
        given = senders.answers[key] = _obey(world, request, key, told)
    except ValueError:
        return answer_json({"error": "deadline is not an ISO time with its zone"}, 400)
    return answer_json(given.body, given.status, effect=given.status != 409)


def _obey(world: World, request: Request, key: str, told: dict[str, Any]) -> HookAnswer:
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


def asked(world: World, ticket: str) -> Answer:
    e164 = world.hook.asks.get(ticket)
    if e164 is None:
        raise Wrong(404, "nothing was promised under this address")
    if world.number(e164).sender.draining:
        return answer_json({"state": "draining"}, 202)
    return answer_json({"state": "done"})
