"""Meta's OpenAPI file as a judge: which operation a call is, and what in it the file does not foresee.

The file is not in this repository: `META_OPENAPI` says where it is (facebook/openapi, v23.0, November 2025).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

# What a node of ours is called in the file's paths. It has several names for the same thing.
NODES: Mapping[str, tuple[str, ...]] = {
    "phone": ("Phone-Number-ID",),
    "waba": ("WABA-ID", "WhatsApp-Business-Account-ID"),
    "app": ("Application-ID",),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange on the wire. `node` is phone, waba, app or the first piece of the path; bodies are JSON or None."""

    method: str
    node: str
    edge: str
    query: Mapping[str, str]
    sent: Any
    status: int
    answered: Any

    @property
    def name(self) -> str:
        return f"{self.method} {self.node}/{self.edge}".rstrip("/")


@dataclass(frozen=True, slots=True, order=True)
class Issue:
    """Where a call and the file part: `place` is `request` or `answer` and a path in it, list positions as `*`."""

    call: str
    place: str
    rule: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.call}: {self.place}: {self.rule}: {self.said}"


class Spec:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._told: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def operation(self, call: Call) -> dict[str, Any] | None:
        """What the file says of this call, the shared parameters of its path included; None where it has no such."""
        for name in NODES.get(call.node, ()):
            path = f"/{{Version}}/{{{name}}}" + (f"/{call.edge}" if call.edge else "")
            item = self._told["paths"].get(path, {})
            found: dict[str, Any] | None = item.get(call.method.lower())
            if found is not None:
                return found | {"parameters": [*item.get("parameters", []), *found.get("parameters", [])]}
        return None

    def issues(self, call: Call) -> list[Issue]:
        operation = self.operation(call)
        if operation is None:
            return [Issue(call.name, "path", "unknown")]
        return sorted({*self._asked(call, operation), *self._sent(call, operation), *self._answered(call, operation)})

    # -- parts

    def _asked(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        known = {one.get("name"): one for one in map(self._resolved, operation["parameters"])}
        for name in call.query:
            if name not in known:
                yield Issue(call.name, f"request.query.{name}", "unknown")
        for name, one in known.items():
            if one.get("in") == "query" and one.get("required") and name not in call.query:
                yield Issue(call.name, f"request.query.{name}", "required")

    def _sent(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        if call.sent is None or call.sent == {}:
            return
        schema = _schema(operation.get("requestBody"))
        if schema is None:
            yield Issue(call.name, "request", "body")
            return
        yield from self._against(call.name, "request", schema, call.sent)

    def _answered(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        responses = operation["responses"]
        told = responses.get(str(call.status)) or (responses.get("default") if call.status >= 400 else None)
        if told is None:
            yield Issue(call.name, "answer", "status", str(call.status))
            return
        schema = _schema(self._resolved(told))
        if schema is not None:
            yield from self._against(call.name, "answer", schema, call.answered)

    def _against(self, name: str, place: str, schema: Any, body: Any) -> Iterator[Issue]:
        whole = self._whole(schema)
        for error in _leaves(Draft202012Validator(whole).iter_errors(body)):
            if error.validator != "additionalProperties":  # told below, by name
                where = ".".join(
                    [place, *("*" if isinstance(step, int) else str(step) for step in error.absolute_path)]
                )
                missing = f".{error.message.split(chr(39))[1]}" if error.validator == "required" else ""
                yield Issue(name, where + missing, str(error.validator), error.message[:120])
        for where in _unnamed(whole, body, place):
            yield Issue(name, where, "unknown")

    # -- schemas

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self._told
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/")]
            node = found
        return node

    def _whole(self, node: Any, within: tuple[str, ...] = ()) -> Any:
        """The schema with its references put in, one that contains itself cut off there."""
        if isinstance(node, list):
            return [self._whole(one, within) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            seen = node["$ref"] in within
            return {} if seen else self._whole(self._resolved(node), (*within, node["$ref"]))
        return {name: self._whole(value, within) for name, value in node.items() if name != "discriminator"}


def _schema(body: Mapping[str, Any] | None) -> Any:
    for kind, told in ((body or {}).get("content") or {}).items():
        if "json" in kind or "form" in kind:
            return told.get("schema")
    return None


def _leaves(errors: Any) -> Iterator[ValidationError]:
    """Errors that say something of their own; of several alternatives, those of the one that fits best."""
    for error in errors:
        if error.validator in ("oneOf", "anyOf") and error.context:
            branches: dict[Any, list[ValidationError]] = {}
            for inner in error.context:
                branches.setdefault(inner.schema_path[0], []).append(inner)
            yield from _leaves(min(branches.values(), key=_misfit))
        elif error.validator == "allOf" and error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _misfit(errors: list[ValidationError]) -> tuple[int, int]:
    """An alternative that is wrong deep inside is nearer than one whose very fields are missing."""
    shallow = sum(1 for error in errors if len(error.path) == 0)
    return shallow, len(errors)


def _unnamed(schema: Any, body: Any, place: str) -> Iterator[str]:
    """Properties of the body that no alternative of the schema names."""
    if isinstance(body, list):
        items = [one["items"] for one in _alternatives(schema) if "items" in one]
        for row in body:
            yield from _unnamed({"anyOf": items}, row, f"{place}.*")
    if not isinstance(body, dict):
        return
    named: dict[str, list[Any]] = {}
    for one in _alternatives(schema):
        if one.get("additionalProperties"):
            return
        for name, inner in one.get("properties", {}).items():
            named.setdefault(name, []).append(inner)
    for name, value in body.items():
        if name in named:
            yield from _unnamed({"anyOf": named[name]}, value, f"{place}.{name}")
        elif named:
            yield f"{place}.{name}"


def _alternatives(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for key in ("oneOf", "anyOf", "allOf"):
            for one in schema.get(key, []):
                yield from _alternatives(one)
