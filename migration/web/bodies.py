"""Reads the body of a request: bounded in size and time, and a form or JSON of it, never an exception of a parser."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from migration.web.answers import Refused

WITHIN_S = 15.0
MAX_FORM = 64 * 1024
MAX_DISCARDED = 64 * 1024 * 1024  # a body is read to its end, so that its sender sees the answer; no further than this
MAX_FIELDS = 50


def _nothing(_length: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; of a field that comes twice, `get` gives the last one."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        return dict(self.fields).get(name, default)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.fields if key == name)

    def once(self) -> Mapping[str, str]:
        """Raises Refused where a field comes twice."""
        once = dict(self.fields)
        if len(once) != len(self.fields):
            raise Refused(400, "a field of the form comes twice")
        return once


async def read_body(request: Request, most: int, count: Callable[[int], None] = _nothing) -> bytes:
    """Raises Refused for a body that is longer than `most` bytes, or that takes too long.

    `count` is told of the bytes of each part that is kept, and may refuse them.
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_DISCARDED:
        raise too_long(most)
    kept, seen = bytearray(), 0
    try:
        async with asyncio.timeout(WITHIN_S):
            async for part in request.stream():
                seen += len(part)
                if seen > MAX_DISCARDED:
                    break
                if seen <= most:
                    count(len(part))
                    kept += part
    except TimeoutError:
        raise Refused(408, "the body took too long") from None
    except ClientDisconnect:
        raise Refused(400, "the sender has gone") from None
    if seen > most:
        raise too_long(most)
    return bytes(kept)


def too_long(most: int) -> Refused:
    return Refused(413, f"the body is longer than {most // 1024} KiB; nothing was changed")


async def read_form(request: Request, most: int = MAX_FORM) -> Form:
    """A form as browsers send it. Raises Refused for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "send a form as application/x-www-form-urlencoded")
    try:
        text = (await read_body(request, most)).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:  # what is no UTF-8 is one too
        raise Refused(400, "the form cannot be read") from None
    return Form(tuple((name, value.replace("\0", "")) for name, value in fields))  # no database takes that sign


async def read_json(request: Request, most: int) -> dict[str, Any]:
    """A JSON object. Raises Refused for anything else."""
    try:
        value = json.loads(await read_body(request, most))
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is no JSON object")
    return value
