"""Odd answers of far sides, drawn from a seed: nested, huge, cut, wrongly typed or encoded, compressed, endless."""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from tests.odd_answers.material import ENCODINGS, ERROR_CODES, FIGURES, GOOD, HEADERS, STATUSES

MIB = 1024 * 1024


class Chunks(httpx.AsyncByteStream):
    """Chunks with a pause before each; then an error, if there is one."""

    def __init__(self, chunks: Any, pause_s: float = 0.0, error: Exception | None = None) -> None:
        self._chunks, self._pause_s, self._error = chunks, pause_s, error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            yield chunk
        if self._error is not None:
            raise self._error


def _bomb(layers: int, mib: int) -> list[bytes]:
    compress = [zlib.compressobj(9, wbits=31) for _ in range(layers)]
    pieces = []
    for last in [False] * mib + [True]:
        chunk = b"" if last else b"[" * MIB
        for each in compress:
            chunk = each.compress(chunk) + (each.flush() if last else b"")
        pieces.append(chunk)
    return pieces


def _compressed_as(name: str, content: bytes) -> bytes:
    if name == "gzip":
        return gzip.compress(content, mtime=0)
    return zlib.compress(content) if name == "deflate" else content


# Made once: 300 MiB take a second to compress.
BOMBS = {1: _bomb(1, 300), 2: _bomb(2, 300)}


class OddAnswers:
    """One answer a call, always the same ones for a seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        kinds: list[tuple[Callable[[], httpx.Response], int]] = [
            (self._odd_field, 30),
            (self._odd_error, 15),
            (self._odd_tree, 12),
            (self._cut, 8),
            (self._encoded, 8),
            (self._compressed, 8),
            (self._no_json, 8),
            (self._deep, 3),
            (self._huge, 3),
            (self._many_values, 1),
            (self._dripped, 2),
            (self._endless, 2),
            (self._bomb, 1),
            (self._endless_list, 3),
            (self._broken_stream, 4),
            (self._library_error, 4),
        ]
        self._kinds = [kind for kind, _ in kinds]
        self._weights = [weight for _, weight in kinds]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self._dice.random() < 0.05:
            await asyncio.sleep(self._dice.choice((0.5, 4.0, 30.0, 1e6)))
        kind = self._dice.choices(self._kinds, self._weights)[0]
        if request.url.path.endswith("/users/login") and self._dice.random() < 0.7:
            return httpx.Response(200, json=GOOD)  # so that most calls come further than the log-in
        return kind()

    # -- kinds

    def _answer(self, content: Any, status: int | None = None, **headers: str) -> httpx.Response:
        dice = self._dice
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if dice.random() < 0.15:
            name, values = dice.choice(HEADERS)
            fields.append((name, dice.choice(values)))
        stream = content if isinstance(content, httpx.AsyncByteStream) else Chunks(self._split(content))
        raw = [(name.encode(), value.encode()) for name, value in fields]
        return httpx.Response(status or dice.choice(STATUSES), headers=raw, stream=stream)

    def _split(self, content: bytes) -> list[bytes]:
        size = self._dice.choice((1, 7, 4096, 65_536, MIB)) if len(content) < 2000 else 65_536
        return [content[start : start + size] for start in range(0, len(content), size)]

    def _odd_json(self) -> str:
        """A good body with some of its values, at any depth, replaced by odd ones."""
        text = json.dumps(self._changed(GOOD, 0.12))
        while '"@odd@"' in text:
            text = text.replace('"@odd@"', self._dice.choice(FIGURES), 1)
        return text

    def _changed(self, value: Any, share: float) -> Any:
        if self._dice.random() < share:
            return "@odd@"
        if isinstance(value, dict):
            return {name: self._changed(item, share) for name, item in value.items() if self._dice.random() > 0.05}
        if isinstance(value, list):
            return [self._changed(item, share) for item in value] * self._dice.choice((1, 1, 1, 0, 3))
        return value

    def _odd_field(self) -> httpx.Response:
        return self._answer(self._odd_json().encode("utf-8", "surrogatepass"), self._dice.choice((200, 200, 202, 409)))

    def _odd_error(self) -> httpx.Response:
        dice = self._dice
        code = str(dice.choice(ERROR_CODES)) if dice.random() < 0.6 else dice.choice(FIGURES)
        details = dice.choice(
            (*FIGURES, '"wait 99999999999 hours"', '"try again in 5 minutes"', '"' + "x" * 9000 + '"')
        )
        data = dice.choice((details, f'{{"details": {details}}}', json.dumps(f'{{"details": {details}}}'), "[]"))
        error = f'{{"code": {code}, "error_subcode": {dice.choice(FIGURES)}, "message": {details}, "error_data": {data}'
        error += f', "fbtrace_id": {dice.choice(FIGURES)}}}'
        row = f'{{"code": {code}, "title": {details}, "details": {details}}}'
        body = dice.choice(
            (f'{{"error": {error}}}', f'{{"errors": [{row}]}}', row, f'{{"errors": {row}}}', '{"error": []}')
        )
        return self._answer(body.encode("utf-8", "surrogatepass"))

    def _odd_tree(self) -> httpx.Response:
        return self._answer(
            self._dice.choice((*FIGURES, "[[]]", '[{"id": "1"}]', '"text"')).encode("utf-8", "surrogatepass")
        )

    def _cut(self) -> httpx.Response:
        content = self._odd_json().encode("utf-8", "surrogatepass")
        return self._answer(content[: self._dice.randrange(len(content))])

    def _encoded(self) -> httpx.Response:
        content = bytearray(self._odd_json().encode(self._dice.choice(ENCODINGS), "replace"))
        for _ in range(self._dice.randrange(4)):
            content[self._dice.randrange(len(content))] = self._dice.randrange(256)
        return self._answer(bytes(content))

    def _compressed(self) -> httpx.Response:
        dice = self._dice
        content = self._odd_json().encode("utf-8", "surrogatepass")
        names = [
            dice.choice(("gzip", "deflate", "br", "zstd", "identity", "nonsense")) for _ in range(dice.randrange(1, 4))
        ]
        for name in names:
            content = _compressed_as(name, content)
        if dice.random() < 0.4:
            content = content[: dice.randrange(len(content) + 1)] + dice.randbytes(dice.randrange(20))
        return self._answer(content, content_encoding=", ".join(names))

    def _no_json(self) -> httpx.Response:
        dice = self._dice
        bodies = (
            b"",
            b" ",
            b"<html><body>Sign in</body></html>",
            b"success=true",
            b"\x00" * 100,
            dice.randbytes(500),
            b"OK",
        )
        return self._answer(dice.choice(bodies))

    def _deep(self) -> httpx.Response:
        depth = self._dice.choice((30, 60, 500, 5000, 100_000))
        opening, closing = self._dice.choice((("[", "]"), ('{"error":', "}"), ('{"data":[', "]}")))
        return self._answer((opening * depth + "1" + closing * depth).encode())

    def _huge(self) -> httpx.Response:
        size = self._dice.choice((MIB - 50, MIB, 3 * MIB, 17 * MIB))
        return self._answer(b'{"success": true, "settings": {"data": "' + b"A" * size + b'"}}', 200)

    def _many_values(self) -> httpx.Response:
        row = self._dice.choice((b"{},", b"[],", b"1,", b'{"id":"1"},', b'"a",'))
        return self._answer(b'{"data": [' + row * (MIB // len(row)) + b"1]}", 200)

    def _dripped(self) -> httpx.Response:
        pause_s = self._dice.choice((0.01, 0.4, 0.9, 4.9))
        return self._answer(Chunks((b" " for _ in iter(int, 1)), pause_s))

    def _endless(self) -> httpx.Response:
        chunk = self._dice.choice((b"x" * 65_536, b"[" * 1000, b"\x1f\x8b\x08\x00" * 999))
        encoding = self._dice.choice(("", "gzip", "deflate"))
        return self._answer(Chunks(chunk for _ in iter(int, 1)), content_encoding=encoding)

    def _bomb(self) -> httpx.Response:
        layers = self._dice.choice((1, 2))
        return self._answer(Chunks(BOMBS[layers]), content_encoding=", ".join(["gzip"] * layers))

    def _endless_list(self) -> httpx.Response:
        cursor = self._dice.choice((str(self._dice.random()), "same", 7, None, "x" * 9000))
        paging = {"next": "https://elsewhere.test/?access_token=x", "cursors": {"after": cursor}}
        return self._answer(json.dumps({"data": [{"id": "1"}], "paging": paging}).encode(), 200)

    def _broken_stream(self) -> httpx.Response:
        return self._answer(Chunks([b'{"success"'], 0.0, self._error()))

    def _library_error(self) -> httpx.Response:
        raise self._error()

    def _error(self) -> Exception:
        errors = (
            *(
                httpx.ReadError("x"),
                httpx.RemoteProtocolError("x"),
                httpx.LocalProtocolError("x"),
                httpx.ConnectError("x"),
            ),
            *(httpx.DecodingError("x"), httpx.StreamClosed(), httpx.InvalidURL("x"), httpx.PoolTimeout("x")),
            *(
                ValueError("x"),
                OverflowError("x"),
                RuntimeError("closed"),
                OSError(104, "reset"),
                KeyError("x"),
                EOFError(),
            ),
        )
        return self._dice.choice(errors)
