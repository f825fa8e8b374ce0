"""The HTTP interface of an On-Premises client: `/onprem/<instance id>/v1/...`, its envelope, its access rules.

https://developers.facebook.com/docs/whatsapp/on-premises/reference
https://developers.facebook.com/docs/whatsapp/api/users/login (tokens)
Unknown routes answer 404, among them `DELETE /v1/account`: On-Premises has no deregister call.
"""

import json
from typing import Any

from sandbox.errors import ConnectionRefused, OnPremRefusal
from sandbox.onprem import deployments, users
from sandbox.onprem.account import BLOCKED
from sandbox.onprem.call import Node, OnPremCall
from sandbox.onprem.nodes import NODES
from sandbox.wire import Request, Response, RoutedCall, json_response
from sandbox.world.instance import Instance
from sandbox.world.world import World

DEFAULT_PASSWORD = "secret"


def identify(world: World, request: Request) -> RoutedCall:
    """The call that a request makes. Whether the deployment answers at all is decided when the call runs."""
    parts = request.parts[1:]
    instance = world.instances.get(parts[0]) if parts else None
    path = tuple(parts[1:])
    if path[:1] == ("v1",):
        path = path[1:]
    elif path != ("metrics",):  # documented without a version; all other paths have one
        path = ("", *path)
    method = "GET" if request.method == "HEAD" else request.method
    node = _find(method, path)
    name = f"onprem.{node.name}"
    if instance is None:
        return RoutedCall("onprem", name, _refuse_connection, node.writes)
    call = OnPremCall(world, instance, request, path, method)
    number = world.number_of(instance)
    return RoutedCall("onprem", name, lambda: _respond(call, node), node.writes, number)


def _refuse_connection() -> Response:
    raise ConnectionRefused


def _find(method: str, path: tuple[str, ...]) -> Node:
    node = NODES.get((method, "/".join(path)))
    if node is None and path:
        node = NODES.get((method, "/".join((*path[:-1], "*"))))
    return node or Node("unknown", _unknown, writes=method != "GET")


def _unknown(call: OnPremCall) -> tuple[int, Any]:
    raise OnPremRefusal(1006, f"URL path not found: /{'/'.join(call.request.parts[2:])}")


def _respond(call: OnPremCall, node: Node) -> Response:
    deployments.check_reachable(call.world, call.instance)
    try:
        if node.run not in (users.login, _unknown):
            users.authenticate(call, node.admin)
        if node.coreapp:
            deployments.needs_coreapp(call.world, call.instance)
        status, payload = node.run(call)
    except OnPremRefusal as refusal:
        error = {"code": refusal.code, "title": refusal.title, "details": refusal.details}
        if refusal.details == BLOCKED.details and call.world.switches.account_block_body == "bare":
            return json_response(error, refusal.status, code=refusal.code)
        by_code = refusal.fixed or call.world.switches.onprem_http_status == "by_code"
        _count(call, node, "error")
        return _envelope(call, refusal.status if by_code else 400, {"errors": [error]}, error_code=refusal.code)
    _count(call, node, "ok")
    if isinstance(payload, bytes):
        return Response(status, payload, {"content-type": _content_type(payload)})
    if isinstance(payload, str):
        return Response(status, payload.encode(), {"content-type": "text/plain; version=0.0.4"})
    return _envelope(call, status, payload)


def _count(call: OnPremCall, node: Node, result: str) -> None:
    """Counts a call under its name in Meta's metrics, `POST_v1_settings_backup`; all unknown paths under one name."""
    names = call.path if node.run is not _unknown else ("unknown",)
    last = ("id",) if node.run is not _unknown and (call.method, "/".join(call.path)) not in NODES else names[-1:]
    call.instance.answered["_".join((call.method, "v1", *names[:-1], *last)), result] += 1


def _content_type(file: bytes) -> str:
    return "application/x-pem-file" if file.startswith(b"-----BEGIN") else "image/jpeg"


def meta(world: World, client: Instance) -> dict[str, str]:
    version = f"v{client.version}" if world.switches.meta_version == "v" else client.version
    return {"version": version, "api_status": "stable"}


def _envelope(call: OnPremCall, status: int, payload: dict[str, Any] | None, error_code: int | None = None) -> Response:
    """Adds `meta` to a body. A body of `null` stays `null`: several calls succeed with it."""
    envelope = None if payload is None else payload | {"meta": meta(call.world, call.instance)}
    body = json.dumps(envelope).encode()
    headers = {"content-type": "application/json"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="WhatsApp"'
    return Response(status, body, headers, effect=error_code is None, code=error_code)
