"""Performs a call: normally, with a fault before or after its effect, or instead of it.

A failure of the sandbox itself becomes a 500 in the format of the API that was called.
"""

import hashlib
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.errors import GRAPH, ONPREM, ConnectionRefused, NoResponse
from sandbox.faults import Fault
from sandbox.onprem.router import meta
from sandbox.wire import Drop, Response, RoutedCall, json_response
from sandbox.world.call_limits import Usage, throttling_code, usage_headers, usage_now
from sandbox.world.number import SimNumber
from sandbox.world.world import World

HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"
DROPS: dict[str, Drop] = {"lost_answer": "no_response", "truncated": "truncated", "reset_after": "reset"}


@dataclass(slots=True)
class InternalFailure(Response):
    """The sandbox itself failed. The traceback is on stderr, and the record of calls says `broken`."""


def internal_failure(side: str) -> InternalFailure:
    """To be called where an exception was caught: the caller gets a response, and the sandbox goes on."""
    sys.stderr.write(traceback.format_exc())
    code = 1000 if side == "onprem" else 131000
    response = json_response(_body(side, code, "The sandbox failed"), 500)
    return InternalFailure(500, response.body, response.headers, code=code)


def perform(call: RoutedCall) -> Response:
    """Performs the call. Never raises."""
    try:
        return call.run()
    except ConnectionRefused:
        return Response(0, drop="refused")
    except NoResponse:
        return Response(0, drop="timeout")
    except Exception:  # noqa: BLE001  whatever it is, the caller gets a response and the record says so
        return internal_failure(call.side)


def perform_with_fault(world: World, call: RoutedCall, fault: Fault) -> Response:
    """Performs the call as the fault says. Never raises."""
    if fault.kind in ("refuse", "reset_before"):
        return Response(0, drop="refused" if fault.kind == "refuse" else "reset")
    if fault.kind == "lag" and call.number is not None:
        return _lag(world, call, call.number, fault)
    if fault.kind == "fails_later" and call.number is not None:
        return _fail_later(call, call.number, fault)
    real = _perform_whole(call) if fault.effect else Response(0)
    if fault.kind == "lag":
        return real  # the call is about no number, so no read can lag
    if real.drop is not None:
        return real  # nothing answered, so the fault changes nothing
    if fault.kind in DROPS:
        real.drop = DROPS[fault.kind]
        return real
    if fault.kind == "slow":
        real = real if fault.effect else json_response({}, 504)
        real.takes_s += fault.seconds
        return real
    response = _faulty_response(world, call, fault, real)
    response.effect, response.takes_s = real.effect, real.takes_s
    return response


def _faulty_response(world: World, call: RoutedCall, fault: Fault, real: Response) -> Response:
    match fault.kind:
        case "429" | "500":
            return _overloaded(world, call, int(fault.kind))
        case "error":
            return _error(world, call, fault)
        case "html":
            return Response(502, HTML, {"content-type": "text/html; charset=utf-8"})
        case _:
            return Response(real.status or 200)


def _perform_whole(call: RoutedCall) -> Response:
    """A call that sets a webhook address does not wait for the handshake: the fault asks for the effect."""
    response = perform(call)
    return response if response.pending is None else response.pending.finish(True)


def _lag(world: World, call: RoutedCall, number: SimNumber, fault: Fault) -> Response:
    before = world.read_view(number)
    response = perform(call)
    until = world.now().timestamp() + fault.seconds
    number.lagging_view, number.lagging_until = before, datetime.fromtimestamp(until, UTC)
    return response


def _fail_later(call: RoutedCall, number: SimNumber, fault: Fault) -> Response:
    number.next_message_error = fault.code
    try:
        return perform(call)
    finally:
        number.next_message_error = None


def _usage_headers(world: World, call: RoutedCall, *, exhausted: bool = False) -> dict[str, str]:
    if call.side != "graph":
        return {}
    waba = world.wabas[call.number.waba_id] if call.number is not None else None
    usage = usage_now(world, waba, call.app)
    if exhausted:
        usage = Usage(app=100, waba=100, minutes=1, business_id=usage.business_id)
    return usage_headers(usage)


def _overloaded(world: World, call: RoutedCall, status: int) -> Response:
    """The response of either API when it fails (500), or when there are too many calls (429)."""
    if call.side == "graph":
        code = throttling_code(world, call.name) if status == 429 else 131000
    else:
        code = 1015 if status == 429 else 1000
    body = _body(call.side, code, "Try again")
    _add_meta(world, call, body)
    response = json_response(body, status, code=code)
    response.headers |= _usage_headers(world, call, exhausted=status == 429)
    return response


def _error(world: World, call: RoutedCall, fault: Fault) -> Response:
    """Any error code of either API, with the status of its table unless the fault has one."""
    assert fault.code is not None
    table = ONPREM if call.side == "onprem" else GRAPH
    status = fault.status or table.get(fault.code, (400, ""))[0]
    body = _body(call.side, fault.code, fault.details, fault.subcode, f"{world.seed}:{len(world.log)}")
    _add_meta(world, call, body)
    response = json_response(body, status, code=fault.code)
    response.headers |= _usage_headers(world, call)
    return response


def _add_meta(world: World, call: RoutedCall, body: dict[str, Any]) -> None:
    """The responses of a client have its version, its refusals too."""
    client = world.instance_of(call.number) if call.number is not None else None
    if client is not None and "meta" in body:
        body["meta"] = meta(world, client)


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
