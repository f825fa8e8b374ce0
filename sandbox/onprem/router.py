"""An On-Premises client on the wire: `/onprem/<instance id>/v1/...`, its envelope, and who may call what.

https://developers.facebook.com/docs/whatsapp/on-premises/reference
https://developers.facebook.com/docs/whatsapp/api/users/login (tokens)
Routes that do not exist answer 404, among them `DELETE /v1/account`: On-Premises has no deregister call.
"""

import json
from typing import Any

from sandbox.errors import NobodyThere, OnPremRefusal
from sandbox.onprem import deployments
from sandbox.onprem import users as onprem_users
from sandbox.onprem.account import BLOCKED
from sandbox.onprem.call import Node, Visit
from sandbox.onprem.nodes import NODES
from sandbox.wire import Answer, Request, Target, answer_json
from sandbox.world.instance import Instance
from sandbox.world.world import World

DEFAULT_PASSWORD = "secret"


def identify(world: World, request: Request) -> Target:
    """What this call is; the deployment may turn out not to answer at all when it runs."""
    parts = request.parts[1:]
    instance = world.instances.get(parts[0]) if parts else None
    path = tuple(parts[1:])
    if path[:1] == ("v1",):
        path = path[1:]
    elif path != ("metrics",):  # documented without the version in front; everything else has it
        path = ("", *path)
    method = "GET" if request.method == "HEAD" else request.method
    node = _find(method, path)
    name = f"onprem.{node.name}"
    if instance is None:
        return Target("onprem", name, _nobody, node.writes)
    visit = Visit(world, instance, request, path, method)
    number = world.number_of(instance)
    return Target("onprem", name, lambda: _answer(visit, node), node.writes, number)


def _nobody() -> Answer:
    raise NobodyThere


def _find(method: str, path: tuple[str, ...]) -> Node:
    found = NODES.get((method, "/".join(path)))
    if found is None and path:
        found = NODES.get((method, "/".join((*path[:-1], "*"))))
    return found or Node("unknown", _unknown, writes=method != "GET")


def _unknown(visit: Visit) -> tuple[int, Any]:
    raise OnPremRefusal(1006, f"URL path not found: /{'/'.join(visit.request.parts[2:])}")


def _answer(visit: Visit, node: Node) -> Answer:
    deployments.answers(visit.world, visit.instance)
    try:
        if node.run not in (onprem_users.login, _unknown):
            onprem_users.authenticate(visit, node.admin)
        if node.coreapp:
            deployments.needs_coreapp(visit.world, visit.instance)
        status, payload = node.run(visit)
    except OnPremRefusal as refusal:
        error = {"code": refusal.code, "title": refusal.title, "details": refusal.details}
        if refusal.details == BLOCKED.details and visit.world.switches.account_block_body == "bare":
            return answer_json(error, refusal.status, code=refusal.code)
        by_code = refusal.fixed or visit.world.switches.onprem_http_status == "by_code"
        _count(visit, node, "error")
        return _envelope(visit, refusal.status if by_code else 400, {"errors": [error]}, code=refusal.code)
    _count(visit, node, "ok")
    if isinstance(payload, bytes):
        return Answer(status, payload, {"content-type": _kind(payload)})
    if isinstance(payload, str):
        return Answer(status, payload.encode(), {"content-type": "text/plain; version=0.0.4"})
    return _envelope(visit, status, payload)


def _count(visit: Visit, node: Node, result: str) -> None:
    """As Meta's metrics name calls, `POST_v1_settings_backup`; of paths that do not exist only that they were asked."""
    names = visit.path if node.run is not _unknown else ("unknown",)
    last = ("id",) if node.run is not _unknown and (visit.method, "/".join(visit.path)) not in NODES else names[-1:]
    visit.instance.answered["_".join((visit.method, "v1", *names[:-1], *last)), result] += 1


def _kind(file: bytes) -> str:
    return "application/x-pem-file" if file.startswith(b"-----BEGIN") else "image/jpeg"


def meta(world: World, client: Instance) -> dict[str, str]:
    version = f"v{client.version}" if world.switches.meta_version == "v" else client.version
    return {"version": version, "api_status": "stable"}


def _envelope(visit: Visit, status: int, payload: dict[str, Any] | None, code: int | None = None) -> Answer:
    """A body of `null` stays one: several calls succeed with nothing in it."""
    whole = None if payload is None else payload | {"meta": meta(visit.world, visit.instance)}
    body = json.dumps(whole).encode()
    headers = {"content-type": "application/json"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="WhatsApp"'
    return Answer(status, body, headers, effect=code is None, code=code)
