"""JSON from a far side: bounded in depth and number of values, and without what a database or a terminal chokes on."""

import json
import math
from collections.abc import Mapping
from typing import Any

MOST_DEPTH = 32
MOST_VALUES = 200_000  # every comma, list and object counts; a page of 100 numbers has about 2,000
MOST_DIGITS = 18  # of an integer: what a database's column of integers holds
UNREADABLE = object()  # in place of a body that is not JSON; `None` is a body that says `null`


def parse_json(content: bytes) -> Any:
    """The value, or UNREADABLE. Raises nothing.

    A value that JSON does not have (NaN), or that no figure of ours can be (5,000 digits, 1e999), stays text. A name
    that an object has twice with different values has none: which of them counts is not defined.
    https://www.rfc-editor.org/rfc/rfc8259#section-4
    """
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MOST_VALUES:
        return UNREADABLE
    try:
        text = content.decode(json.detect_encoding(content), "replace")
        value = json.loads(
            text, parse_int=_whole, parse_float=_fraction, parse_constant=str, object_pairs_hook=_without_ambiguity
        )
        return _clean(value, 0)
    except (ValueError, RecursionError):
        return UNREADABLE


def objects(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects of a list; empty where it is no list. Whatever else is in it is left out."""
    return tuple(row for row in value if isinstance(row, Mapping)) if isinstance(value, list) else ()


def inside(value: Any, *names: str | int) -> Any:
    """What lies at this path of names and places, or None where something on the way is missing or of another type."""
    for name in names:
        if isinstance(name, str) and isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(name, int) and isinstance(value, list) and 0 <= name < len(value):
            value = value[name]
        else:
            return None
    return value


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text


def _fraction(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _without_ambiguity(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] is not value and found[name] != value:
                found[name] = None
    return found


def _clean(value: Any, depth: int) -> Any:
    """Without NUL, which PostgreSQL refuses, and without halves of surrogate pairs, which nothing can encode."""
    if depth > MOST_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, list):
        return [_clean(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {_clean_text(name): _clean(each, depth + 1) for name, each in value.items()}
    return value


def _clean_text(text: str) -> str:
    if text.isascii():
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
