"""Compares calls with Meta's OpenAPI file: which operation a call is, and where it differs from the file.

The file is not in this repository: `META_OPENAPI` says where it is (facebook/openapi, v23.0, November 2025).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

# The names of each kind of node in the file's paths. The file has several names for one thing.
NODES: Mapping[str, tuple[str, ...]] = {
    "phone": ("Phone-Number-ID",),
    "waba": ("WABA-ID", "WhatsApp-Business-Account-ID"),
    "app": ("Application-ID",),
    "business": ("Business-ID",),
    "template": ("TEMPLATE_ID",),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange on the wire. `node` is a name of NODES or the first piece of the path; bodies are JSON or None."""

    method: str
    node: str
    edge: str
    query: Mapping[str, str]
    request_body: Any
    status: int
    response_body: Any

    @property
    def name(self) -> str:
        return f"{self.method} {self.node}/{self.edge}".rstrip("/")


@dataclass(frozen=True, slots=True, order=True)
class Issue:
    """One difference between a call and the file.

    `place` is `request` or `response` and a path in it, list positions as `*`; `rule` is the JSON Schema keyword that
    failed, or `unknown`, `body` or `status`.
    """

    call: str
    place: str
    rule: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.call}: {self.place}: {self.rule}: {self.message}"


class Spec:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._document: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def operation(self, call: Call) -> dict[str, Any] | None:
        """The file's operation of this call, with the shared parameters of its path; None where the file has none."""
        for name in NODES.get(call.node, ()):
            path = f"/{{Version}}/{{{name}}}" + (f"/{call.edge}" if call.edge else "")
            item = self._document["paths"].get(path, {})
            operation: dict[str, Any] | None = item.get(call.method.lower())
            if operation is not None:
                return operation | {"parameters": [*item.get("parameters", []), *operation.get("parameters", [])]}
        return None

    def issues(self, call: Call) -> list[Issue]:
        operation = self.operation(call)
        if operation is None:
            return [Issue(call.name, "path", "unknown")]
        return sorted(
            {
                *self._query_issues(call, operation),
                *self._request_issues(call, operation),
                *self._response_issues(call, operation),
            }
        )

    # -- parts

    def _query_issues(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        known = {parameter.get("name"): parameter for parameter in map(self._resolve, operation["parameters"])}
        for name in call.query:
            if name not in known:
                yield Issue(call.name, f"request.query.{name}", "unknown")
        for name, parameter in known.items():
            if parameter.get("in") == "query" and parameter.get("required") and name not in call.query:
                yield Issue(call.name, f"request.query.{name}", "required")

    def _request_issues(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        if call.request_body is None or call.request_body == {}:
            return
        schema = _json_schema(operation.get("requestBody"))
        if schema is None:
            yield Issue(call.name, "request", "body")
            return
        yield from self._body_issues(call.name, "request", schema, call.request_body)

    def _response_issues(self, call: Call, operation: Mapping[str, Any]) -> Iterator[Issue]:
        responses = operation["responses"]
        response = responses.get(str(call.status)) or (responses.get("default") if call.status >= 400 else None)
        if response is None:
            yield Issue(call.name, "response", "status", str(call.status))
            return
        schema = _json_schema(self._resolve(response))
        if schema is not None:
            yield from self._body_issues(call.name, "response", schema, call.response_body)

    def _body_issues(self, name: str, place: str, schema: Any, body: Any) -> Iterator[Issue]:
        expanded = self._expand(schema)
        for error in _leaf_errors(Draft202012Validator(expanded).iter_errors(body)):
            if error.validator != "additionalProperties":  # reported below, by name
                location = ".".join(
                    [place, *("*" if isinstance(step, int) else str(step) for step in error.absolute_path)]
                )
                missing = f".{error.message.split(chr(39))[1]}" if error.validator == "required" else ""
                yield Issue(name, location + missing, str(error.validator), error.message[:120])
        for location in _unknown_properties(expanded, body, place):
            yield Issue(name, location, "unknown")

    # -- schemas

    def _resolve(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            target: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/")]
            node = target
        return node

    def _expand(self, node: Any, within: tuple[str, ...] = ()) -> Any:
        """The schema with its references expanded; a reference to itself becomes the schema that allows everything."""
        if isinstance(node, list):
            return [self._expand(item, within) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            is_recursive = node["$ref"] in within
            return {} if is_recursive else self._expand(self._resolve(node), (*within, node["$ref"]))
        return {name: self._expand(value, within) for name, value in node.items() if name != "discriminator"}


def _json_schema(body: Mapping[str, Any] | None) -> Any:
    for kind, media_type in ((body or {}).get("content") or {}).items():
        if "json" in kind or "form" in kind:
            return media_type.get("schema")
    return None


def _leaf_errors(errors: Any) -> Iterator[ValidationError]:
    """The innermost errors; of several alternatives, the errors of the one that fits best."""
    for error in errors:
        if error.validator in ("oneOf", "anyOf") and error.context:
            branches: dict[Any, list[ValidationError]] = {}
            for inner in error.context:
                branches.setdefault(inner.schema_path[0], []).append(inner)
            yield from _leaf_errors(min(branches.values(), key=_misfit))
        elif error.validator == "allOf" and error.context:
            yield from _leaf_errors(error.context)
        else:
            yield error


def _misfit(errors: list[ValidationError]) -> tuple[int, int]:
    """Sort key of an alternative: errors at its top level count more than errors deep inside."""
    shallow = sum(1 for error in errors if len(error.path) == 0)
    return shallow, len(errors)


def _unknown_properties(schema: Any, body: Any, place: str) -> Iterator[str]:
    """Properties of the body that no alternative of the schema names."""
    if isinstance(body, list):
        items = [alternative["items"] for alternative in _alternatives(schema) if "items" in alternative]
        for row in body:
            yield from _unknown_properties({"anyOf": items}, row, f"{place}.*")
    if not isinstance(body, dict):
        return
    named: dict[str, list[Any]] = {}
    for alternative in _alternatives(schema):
        if alternative.get("additionalProperties"):
            return
        for name, inner in alternative.get("properties", {}).items():
            named.setdefault(name, []).append(inner)
    for name, value in body.items():
        if name in named:
            yield from _unknown_properties({"anyOf": named[name]}, value, f"{place}.{name}")
        elif named:
            yield f"{place}.{name}"


def _alternatives(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for key in ("oneOf", "anyOf", "allOf"):
            for alternative in schema.get(key, []):
                yield from _alternatives(alternative)
