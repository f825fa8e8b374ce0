"""A call that meets a fault: before its effect, after it, or instead of it. And one that meets a mistake of ours."""

import hashlib
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.errors import GRAPH, ONPREM, NobodyThere, Silence
from sandbox.faults import Fault
from sandbox.onprem.router import meta
from sandbox.wire import Answer, Drop, Target, answer_json
from sandbox.world.call_limits import Usage, look, throttled, usage_headers
from sandbox.world.number import SimNumber
from sandbox.world.world import World

HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"
ENDS: dict[str, Drop] = {"lost_answer": "no_answer", "truncated": "cut", "reset_after": "reset"}


@dataclass(slots=True)
class Broken(Answer):
    """The sandbox itself failed: told as 500 in the words of the side that was called, and on stderr."""


def broken(side: str) -> Broken:
    """Called where an exception was caught; whoever rehearses goes on, and the record says `broken`."""
    sys.stderr.write(traceback.format_exc())
    told = _body(side, 1000 if side == "onprem" else 131000, "The sandbox failed")
    made = answer_json(told, 500)
    return Broken(500, made.body, made.headers, code=1000 if side == "onprem" else 131000)


def run(target: Target) -> Answer:
    """Never raises."""
    try:
        return target.run()
    except NobodyThere:
        return Answer(0, drop="refused")
    except Silence:
        return Answer(0, drop="silence")
    except Exception:  # noqa: BLE001  whatever it is, the caller gets an answer and the record says so
        return broken(target.side)


def struck(world: World, target: Target, fault: Fault) -> Answer:
    if fault.kind in ("refuse", "reset_before"):
        return Answer(0, drop="refused" if fault.kind == "refuse" else "reset")
    if fault.kind == "lag" and target.number is not None:
        return _lag(world, target, target.number, fault)
    if fault.kind == "fails_later" and target.number is not None:
        return _fails_later(target, target.number, fault)
    real = _effect(target) if fault.effect else Answer(0)
    if fault.kind == "lag":
        return real  # about no number: no read of it can lag
    if real.drop is not None:
        return real  # nobody was there to be struck
    if fault.kind in ENDS:
        real.drop = ENDS[fault.kind]
        return real
    match fault.kind:
        case "slow":
            real = real if fault.effect else answer_json({}, 504)
            real.takes_s += fault.seconds
            return real
        case "429" | "500":
            said = _out_of_order(world, target, int(fault.kind))
        case "error":
            said = _said(world, target, fault)
        case "html":
            said = Answer(502, HTML, {"content-type": "text/html; charset=utf-8"})
        case _:
            said = Answer(real.status or 200)
    said.effect, said.takes_s = real.effect, real.takes_s
    return said


def _effect(target: Target) -> Answer:
    """A struck call that sets an address does not wait for it: who struck it asked for the effect."""
    answer = run(target)
    return answer if answer.asks is None else answer.asks.then(True)


def _lag(world: World, target: Target, number: SimNumber, fault: Fault) -> Answer:
    before = world.shown(number)
    answer = run(target)
    until = world.now().timestamp() + fault.seconds
    number.lagging_view, number.lagging_until = before, datetime.fromtimestamp(until, UTC)
    return answer


def _fails_later(target: Target, number: SimNumber, fault: Fault) -> Answer:
    number.fails_next = fault.code
    try:
        return run(target)
    finally:
        number.fails_next = None


def _usage(world: World, target: Target, *, full: bool = False) -> dict[str, str]:
    if target.side != "graph":
        return {}
    waba = world.wabas[target.number.waba_id] if target.number is not None else None
    used = look(world, waba, target.app)
    return usage_headers(Usage(app=100, waba=100, minutes=1, business_id=used.business_id) if full else used)


def _out_of_order(world: World, target: Target, status: int) -> Answer:
    """What either API says when it is out of order, or out of patience."""
    if target.side == "graph":
        code = throttled(world, target.call) if status == 429 else 131000
    else:
        code = 1015 if status == 429 else 1000
    told = _body(target.side, code, "Try again")
    _meta(world, target, told)
    answer = answer_json(told, status, code=code)
    answer.headers |= _usage(world, target, full=status == 429)
    return answer


def _said(world: World, target: Target, fault: Fault) -> Answer:
    """Any code of either side, with the status of its table unless the fault names one."""
    assert fault.code is not None
    table = ONPREM if target.side == "onprem" else GRAPH
    status = fault.status or table.get(fault.code, (400, ""))[0]
    told = _body(target.side, fault.code, fault.details, fault.subcode, f"{world.seed}:{len(world.log)}")
    _meta(world, target, told)
    answer = answer_json(told, status, code=fault.code)
    answer.headers |= _usage(world, target)
    return answer


def _meta(world: World, target: Target, told: dict[str, Any]) -> None:
    """A client's answers have its version in them, its refusals too."""
    client = world.instance_of(target.number) if target.number is not None else None
    if client is not None and "meta" in told:
        told["meta"] = meta(world, client)


def _body(
    side: str, code: int, details: str | None, subcode: int | None = None, trace: str | None = None
) -> dict[str, Any]:
    if side == "onprem":
        error = {"code": code, "title": ONPREM.get(code, (0, "Error"))[1]}
        return {"errors": [error | ({"details": details} if details is not None else {})], "meta": {}}
    title = GRAPH.get(code, (0, "Error"))[1]
    error = {"message": f"(#{code}) {title}", "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    if details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    if trace is not None:
        error["fbtrace_id"] = "A" + hashlib.sha256(trace.encode()).hexdigest()[:20]
    return {"error": error}
