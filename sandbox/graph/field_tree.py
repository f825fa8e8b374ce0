"""`fields=` as a tree: `a,b.limit(5){c,d{e}}`. What it may name is said by who reads it.

https://developers.facebook.com/docs/graph-api/guides/field-expansion
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import Refusal

# Nobody nests deeper than this; Graph's own limit is undocumented.
DEEPEST = 20


@dataclass(slots=True)
class Wanted:
    """One name of `fields`. `asks` are its modifiers; `text` is what stood between its braces."""

    asks: dict[str, str] = field(default_factory=dict)
    inner: "Tree" = field(default_factory=dict)
    text: str = ""


Tree = dict[str, Wanted]
# What may be named inside a field: None for a plain value, which has nothing inside.
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


def names(*plain: str) -> Tree:
    return {name: Wanted() for name in plain}


def only(value: Any, inner: Tree, shape: Shape | None) -> Any:
    """The named parts of a value, also of each row of a list. Raises Refusal for a part that does not exist."""
    if not inner:
        return value
    check(inner, shape)
    return _cut(value, inner, shape or {})


def check(inner: Tree, shape: Shape | None) -> None:
    """Also where there is no value to look into. Raises Refusal for a name that does not exist, at whatever depth."""
    for name, wanted in inner.items():
        if shape is None or name not in shape:
            raise nonexistent(name)
        if wanted.inner:
            check(wanted.inner, shape[name])


def _cut(value: Any, inner: Tree, shape: Shape) -> Any:
    if isinstance(value, list):
        return [_cut(row, inner, shape) for row in value]
    if not isinstance(value, dict):
        return value
    return {name: _part(value[name], wanted.inner, shape[name]) for name, wanted in inner.items() if name in value}


def _part(value: Any, inner: Tree, shape: Shape | None) -> Any:
    return _cut(value, inner, shape or {}) if inner else value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def tree(self, depth: int) -> Tree:
        """Up to the closing brace or the end."""
        if depth > DEEPEST:
            raise _syntax(self.at)
        found: Tree = {}
        while self.at < len(self.text) and self.text[self.at] != "}":
            name, wanted = self._one(depth)
            if name:
                found[name] = wanted
            if self.at < len(self.text) and self.text[self.at] == ",":
                self.at += 1
        return found

    def _one(self, depth: int) -> tuple[str, Wanted]:
        wanted = Wanted()
        name = self._word()
        while self._here() == ".":
            self.at += 1
            modifier = self._word()
            wanted.asks[modifier] = self._argument()
        if self._here() == "{":
            self.at += 1
            began = self.at
            wanted.inner = self.tree(depth + 1)
            if self._here() != "}":
                raise _syntax(self.at)
            wanted.text = self.text[began : self.at]
            self.at += 1
        if self._here() not in ("", ",", "}"):
            raise _syntax(self.at)
        return name, wanted

    def _here(self) -> str:
        return self.text[self.at : self.at + 1]

    def _word(self) -> str:
        began = self.at
        while self._here() not in ("", ",", ".", "{", "}", "(", ")"):
            self.at += 1
        return self.text[began : self.at].strip()

    def _argument(self) -> str:
        if self._here() != "(":
            raise _syntax(self.at)
        end = self.text.find(")", self.at)
        if end < 0:
            raise _syntax(len(self.text))
        argument = self.text[self.at + 1 : end]
        self.at = end + 1
        return argument.strip()


def _syntax(at: int) -> Refusal:
    """Wording from field reports; the code is Graph's for a query it cannot read."""
    return Refusal(2500, message=f"Syntax error at character {at} of fields")
