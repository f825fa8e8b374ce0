"""`fields=` as a tree: `a,b.limit(5){c,d{e}}`. The caller knows which names exist.

https://developers.facebook.com/docs/graph-api/guides/field-expansion
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import Refusal

# Deepest nesting; Graph's own limit is undocumented.
DEEPEST = 20


@dataclass(slots=True)
class RequestedField:
    """One name of `fields`. `inner` and `text`: the content of its braces, parsed and as it came."""

    modifiers: dict[str, str] = field(default_factory=dict)
    inner: "Tree" = field(default_factory=dict)
    text: str = ""


Tree = dict[str, RequestedField]
# The names that exist inside a field; None for a plain value, which has none.
Shape = Mapping[str, "Shape | None"]


def nonexistent(name: str) -> Refusal:
    return Refusal(100, message=f"(#100) Tried accessing nonexisting field ({name})")


def parse(fields: Any) -> Tree:
    """Raises Refusal where braces or parentheses do not match."""
    reader = _Reader(str(fields))
    tree = reader.tree(0)
    if reader.at < len(reader.text):
        raise _syntax(reader.at)
    return tree


def plain_fields(*names: str) -> Tree:
    return {name: RequestedField() for name in names}


def select(value: Any, inner: Tree, shape: Shape | None) -> Any:
    """The requested parts of a value, or of each row of a list. Raises Refusal for a part that does not exist."""
    if not inner:
        return value
    check(inner, shape)
    return _cut(value, inner, shape or {})


def check(inner: Tree, shape: Shape | None) -> None:
    """Raises Refusal for a name that does not exist, at any depth, also when there is no value."""
    for name, requested in inner.items():
        if shape is None or name not in shape:
            raise nonexistent(name)
        if requested.inner:
            check(requested.inner, shape[name])


def _cut(value: Any, inner: Tree, shape: Shape) -> Any:
    if isinstance(value, list):
        return [_cut(row, inner, shape) for row in value]
    if not isinstance(value, dict):
        return value
    return {name: _part(value[name], field.inner, shape[name]) for name, field in inner.items() if name in value}


def _part(value: Any, inner: Tree, shape: Shape | None) -> Any:
    return _cut(value, inner, shape or {}) if inner else value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def tree(self, depth: int) -> Tree:
        """Reads up to the closing brace or the end."""
        if depth > DEEPEST:
            raise _syntax(self.at)
        tree: Tree = {}
        while self.at < len(self.text) and self.text[self.at] != "}":
            name, requested = self._field(depth)
            if name:
                tree[name] = requested
            if self.at < len(self.text) and self.text[self.at] == ",":
                self.at += 1
        return tree

    def _field(self, depth: int) -> tuple[str, RequestedField]:
        requested = RequestedField()
        name = self._word()
        while self._char() == ".":
            self.at += 1
            modifier = self._word()
            requested.modifiers[modifier] = self._argument()
        if self._char() == "{":
            self.at += 1
            start = self.at
            requested.inner = self.tree(depth + 1)
            if self._char() != "}":
                raise _syntax(self.at)
            requested.text = self.text[start : self.at]
            self.at += 1
        if self._char() not in ("", ",", "}"):
            raise _syntax(self.at)
        return name, requested

    def _char(self) -> str:
        return self.text[self.at : self.at + 1]

    def _word(self) -> str:
        start = self.at
        while self._char() not in ("", ",", ".", "{", "}", "(", ")"):
            self.at += 1
        return self.text[start : self.at].strip()

    def _argument(self) -> str:
        if self._char() != "(":
            raise _syntax(self.at)
        end = self.text.find(")", self.at)
        if end < 0:
            raise _syntax(len(self.text))
        argument = self.text[self.at + 1 : end]
        self.at = end + 1
        return argument.strip()


def _syntax(at: int) -> Refusal:
    """The text is from field reports; the error code is Graph's for a query that it cannot parse."""
    return Refusal(2500, message=f"Syntax error at character {at} of fields")
