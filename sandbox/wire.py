"""A request and an answer as both APIs see them, whatever carried them here."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from sandbox.calls import Side
from sandbox.world.accounts import App
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Handshake

Drop = Literal["refused", "silence", "reset", "no_answer", "cut"]
# Parameters that are objects or lists. In a query or a form Graph takes them as JSON text; the others stay the text
# they are, whatever it looks like.
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

    `raw`: the path as it came, where it came from somewhere.
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
        """Pieces of the path; a trailing slash makes no difference. A slash that was encoded is part of its piece:

        who escapes an id must not find that it is a path.
        """
        if self.raw is None:
            return [part for part in self.path.split("/") if part]
        return [unquote(part) for part in self.raw.split("/") if part]

    def queried(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # not JSON, or nested deeper than anybody reads
            return None

    def params(self) -> dict[str, Any]:
        """Query, form and JSON alike, as Graph takes them; the body wins."""
        found = self.queried()
        kind = self.headers.get("content-type", "")
        if "application/x-www-form-urlencoded" in kind:
            found |= parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        elif "multipart/form-data" in kind:
            found |= _multipart(kind, self.body)
        else:
            told = self.json()
            if isinstance(told, dict):
                return _read(found) | told
        return _read(found)

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in ("bearer", "oauth") and token else None


def _read(texts: Mapping[str, str]) -> dict[str, Any]:
    """What a query or a form carries, objects and lists as such: as JSON, or piece by piece (`text[body]=x`)."""
    found: dict[str, Any] = {}
    for name, value in texts.items():
        outer, inner, rest = name.partition("[")
        way = (outer, *rest[:-1].split("]["))
        if inner and outer in STRUCTURED and rest.endswith("]") and len(way) < DEEPEST:
            _put(found, way, value)
        else:
            found[name] = _structured(value) if name in STRUCTURED else value
    return {name: _listed(value) if name in STRUCTURED else value for name, value in found.items()}


def _put(found: dict[str, Any], way: Sequence[str], value: str) -> None:
    """At the end of a way of keys; what a way meets that is no object is left as it was."""
    here: Any = found
    for key in way[:-1]:
        here = here.setdefault(key, {}) if isinstance(here, dict) else None
    if isinstance(here, dict):
        here[way[-1] or str(len(here))] = value


def _listed(value: Any) -> Any:
    """A list came as an object whose keys count from 0."""
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    return list(inner.values()) if inner and list(inner) == [str(at) for at in range(len(inner))] else inner


def _structured(value: str) -> Any:
    if value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _multipart(kind: str, body: bytes) -> dict[str, str]:
    """Plain fields of a multipart form (`curl -F`); files are left out."""
    _, _, boundary = kind.partition("boundary=")
    found: dict[str, str] = {}
    for part in body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        told = head.decode("utf-8", "replace")
        _, has_name, rest = told.partition('name="')
        if has_name and "filename=" not in told:
            found[rest.partition('"')[0]] = content.removesuffix(b"\r\n").decode("utf-8", "replace")
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that waits for an address to verify itself: `then` makes it of whether it did."""

    handshake: Handshake
    then: "Callable[[bool], Answer]"


@dataclass(slots=True)
class Answer:
    """`takes_s`: how long the caller waits for it. `drop`: how the connection ends instead of it.

    `asks`: not an answer yet; its `then` gives it.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    code: int | None = None
    takes_s: float = 0.0
    drop: Drop | None = None
    asks: Asked | None = None


def answer_json(payload: Any, status: int = 200, *, effect: bool = False, code: int | None = None) -> Answer:
    body = json.dumps(payload, separators=(",", ":")).encode()
    return Answer(status, body, {"content-type": "application/json; charset=UTF-8"}, effect, code)


@dataclass(slots=True)
class Target:
    """A request understood: what it is called, whom it is about, and what answers it.

    `late`: identified although no handler exists; recorded all the same.
    """

    side: Side
    call: str
    run: Callable[[], Answer]
    write: bool = False
    number: SimNumber | None = None
    app: App | None = None  # who asks Graph
