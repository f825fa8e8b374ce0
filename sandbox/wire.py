"""Request and response of both APIs, independent of how they are transported."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from sandbox.calls import Side
from sandbox.world.accounts import App
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Handshake

# How a connection ends instead of a response, or in the middle of it.
Drop = Literal["refused", "timeout", "reset", "no_response", "truncated"]
# Parameters that are objects or lists. Graph parses them as JSON in a query or a form; all others stay text.
# fmt: off
STRUCTURED = frozenset({
    "text", "template", "image", "audio", "video", "document", "sticker", "location", "contacts", "interactive",
    "reaction", "context", "backup", "storage_configuration", "user_identity_change", "webhook_configuration",
    "websites", "tasks", "filtering", "sort"
})
# fmt: on
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is decoded and has no query; `headers` have lower-case names; `base` is scheme and host.

    `raw`: the path before decoding; None for a request that was made without one.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = "http://sandbox"
    raw: str | None = None

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes, base: str) -> "Request":
        path, _, query = target.partition("?")
        return cls(method.upper(), unquote(path), query, headers, body, base, path)

    @property
    def parts(self) -> list[str]:
        """The segments of the path, without empty ones. An encoded slash belongs to its segment.

        Otherwise an escaped id with a slash would be split into two segments.
        """
        if self.raw is None:
            return [part for part in self.path.split("/") if part]
        return [unquote(part) for part in self.raw.split("/") if part]

    def query_params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON; None when it is not JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # not JSON, or nested too deep
            return None

    def params(self) -> dict[str, Any]:
        """Parameters of query, form and JSON, as Graph accepts them; the body wins over the query."""
        texts = self.query_params()
        kind = self.headers.get("content-type", "")
        if "application/x-www-form-urlencoded" in kind:
            texts |= parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        elif "multipart/form-data" in kind:
            texts |= _multipart(kind, self.body)
        else:
            body = self.json()
            if isinstance(body, dict):
                return _parse(texts) | body
        return _parse(texts)

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "oauth") and token else None


def _parse(texts: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a query or a form. Objects and lists are JSON, or single values (`text[body]=x`)."""
    params: dict[str, Any] = {}
    for name, value in texts.items():
        outer, inner, rest = name.partition("[")
        keys = (outer, *rest[:-1].split("]["))
        if inner and outer in STRUCTURED and rest.endswith("]") and len(keys) < DEEPEST:
            _put(params, keys, value)
        else:
            params[name] = _structured(value) if name in STRUCTURED else value
    return {name: _with_lists(value) if name in STRUCTURED else value for name, value in params.items()}


def _put(params: dict[str, Any], keys: Sequence[str], value: str) -> None:
    """Sets a value inside nested objects. A value that is not an object stays as it is."""
    inner: Any = params
    for key in keys[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner[keys[-1] or str(len(inner))] = value


def _with_lists(value: Any) -> Any:
    """Objects whose keys count from 0 become lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(item) for key, item in value.items()}
    return list(inner.values()) if inner and list(inner) == [str(at) for at in range(len(inner))] else inner


def _structured(value: str) -> Any:
    if value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _multipart(kind: str, body: bytes) -> dict[str, str]:
    """The text fields of a multipart form (`curl -F`), without its files."""
    _, _, boundary = kind.partition("boundary=")
    fields: dict[str, str] = {}
    for part in body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        headers = head.decode("utf-8", "replace")
        _, has_name, rest = headers.partition('name="')
        if has_name and "filename=" not in headers:
            fields[rest.partition('"')[0]] = content.removesuffix(b"\r\n").decode("utf-8", "replace")
    return fields


@dataclass(frozen=True, slots=True)
class PendingHandshake:
    """A call that waits until an address has verified itself. `finish` gets whether it did; returns the response."""

    handshake: Handshake
    finish: "Callable[[bool], Response]"


@dataclass(slots=True)
class Response:
    """`takes_s`: seconds until it is sent. `drop`: how the connection ends. `code`: the error code in the body.

    `effect`: the call did what it asks for. `pending`: this is not the response yet; `pending.finish` gives it.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    code: int | None = None
    takes_s: float = 0.0
    drop: Drop | None = None
    pending: PendingHandshake | None = None


def json_response(payload: Any, status: int = 200, *, effect: bool = False, code: int | None = None) -> Response:
    body = json.dumps(payload, separators=(",", ":")).encode()
    return Response(status, body, {"content-type": "application/json; charset=UTF-8"}, effect, code)


@dataclass(slots=True)
class RoutedCall:
    """The call that a request makes: its name, the number that it is about, and the function that performs it."""

    side: Side
    name: str
    run: Callable[[], Response]
    write: bool = False
    number: SimNumber | None = None
    app: App | None = None  # the app that calls Graph
