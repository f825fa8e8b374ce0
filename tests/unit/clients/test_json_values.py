"""JSON of far sides: bounded, and clean enough for a database and a terminal. Nothing raises."""

from typing import Any

import pytest

from migration.clients.json_values import MOST_DEPTH, UNREADABLE, inside, objects, parse_json


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"<html>Sign in</html>",
        b'{"cut',
        b"{'a': 1}",
        b"\xff\xfe\xff",
        b"\x00\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * (MOST_DEPTH + 2) + b"]" * (MOST_DEPTH + 2),
        b"[" + b"1," * 300_000 + b"1]",
        b"[" + b"{}," * 300_000 + b"{}]",
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_a_body_that_is_no_json_of_ours_is_unreadable(content: bytes) -> None:
    assert parse_json(content) is UNREADABLE


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"null", None),
        (b"\xef\xbb\xbf{}", {}),
        ('{"a": "ü"}'.encode("utf-16"), {"a": "ü"}),
        (b'{"a": "\xff"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
        (b'{"a": "x\\u0000y"}', {"a": "x\N{REPLACEMENT CHARACTER}y"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (b'{"a": "\\ud83d"}', {"a": "?"}),
        (b'{"\\ud83d": 1}', {"?": 1}),
        (b'{"a": NaN, "b": -Infinity, "c": 1e999}', {"a": "NaN", "b": "-Infinity", "c": "1e999"}),
        (b"9" * 5000, "9" * 5000),
        (b'{"a": 1, "a": 1}', {"a": 1}),
        (b'{"success": true, "success": false}', {"success": None}),
        (b'{"success": false, "success": true, "success": false}', {"success": None}),
    ],
)
def test_what_json_leaves_open_is_decided(content: bytes, value: Any) -> None:
    assert parse_json(content) == value


def test_a_path_into_a_value_ends_where_the_value_does() -> None:
    value = {"data": [{"id": "1"}, None, "x"], "text": "data"}
    assert inside(value, "data", 0, "id") == "1"
    for path in (("data", 1, "id"), ("data", 9), ("data", "id"), ("text", 0), ("data", 0, "id", "x"), ("none",)):
        assert inside(value, *path) is None
    assert objects(value["data"]) == ({"id": "1"},)
    assert objects({"id": "1"}) == objects(None) == objects("text") == ()
