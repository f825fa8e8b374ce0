"""Bodies of responses: bounded before and after decompression, whatever the headers promise."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from migration.clients.bodies import MIB, UnreadableBody, read_body


class Stream(httpx.AsyncByteStream):
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.sent += len(chunk)
            yield chunk


def response(chunks: Iterable[bytes], encoding: str = "") -> httpx.Response:
    return httpx.Response(200, headers={"content-encoding": encoding} if encoding else {}, stream=Stream(chunks))


def in_bytes(content: bytes) -> list[bytes]:
    return [content[index : index + 1] for index in range(len(content))]


def raw_deflate(content: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(content) + deflate.flush()


def shown(value: object) -> str:
    return value if isinstance(value, str) else f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


TEXT = b'{"success": true}' * 100


@pytest.mark.parametrize("split", [lambda content: [content], in_bytes], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("GZIP", gzipped(TEXT)),
        ("x-gzip", gzipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("gzip, gzip", gzipped(gzipped(TEXT))),
        ("deflate, gzip", gzipped(zlib.compress(TEXT))),
        ("gzip", gzipped(TEXT[:5]) + gzipped(TEXT[5:])),
    ],
    ids=shown,
)
async def test_a_body_is_decoded(encoding: str, content: bytes, split: object) -> None:
    assert callable(split)
    assert await read_body(response(split(content), encoding), MIB) == TEXT


async def test_deflate_without_a_header_is_decoded() -> None:
    assert await read_body(response([raw_deflate(TEXT)], "deflate"), MIB) == TEXT


async def test_an_empty_body_needs_no_decoding() -> None:
    assert await read_body(response([], "gzip"), MIB) == b""


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", b"no gzip at all"),
        ("gzip", gzipped(TEXT)[:-9]),
        ("gzip", gzipped(TEXT)[:40] + b"\x00" * 40),
        ("gzip", gzipped(TEXT) + b"more"),
        ("gzip, gzip", gzipped(TEXT)),
        ("gzip", gzipped(b"") * 1000),
        ("br", TEXT),
        ("zstd", TEXT),
        ("gzip, br", TEXT),
        ("gzip, gzip, gzip", gzipped(gzipped(gzipped(TEXT)))),
        ("nonsense", TEXT),
    ],
    ids=shown,
)
async def test_a_broken_or_unknown_encoding_is_unreadable(encoding: str, content: bytes) -> None:
    with pytest.raises(UnreadableBody):
        await read_body(response([content], encoding), MIB)


async def test_a_body_may_be_as_long_as_the_bound() -> None:
    assert len(await read_body(response([b"x" * MIB]), MIB)) == MIB


async def test_an_endless_body_is_left_at_the_bound() -> None:
    endless = Stream(b"x" * 65_536 for _ in range(100_000))
    with pytest.raises(UnreadableBody, match="longer than 1 MiB"):
        await read_body(httpx.Response(200, stream=endless), MIB)
    assert endless.sent <= MIB + 65_536


def bomb(layers: int) -> Iterable[bytes]:
    """300 MiB of zeros, compressed so often."""
    compress = [zlib.compressobj(9, wbits=31) for _ in range(layers)]
    for _ in range(300):
        chunk = b"\0" * MIB
        for each in compress:
            chunk = each.compress(chunk)
        if chunk:
            yield chunk
    chunk = b""
    for each in compress:
        chunk = each.compress(chunk) + each.flush()
    yield chunk


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_takes_no_memory(layers: int) -> None:
    chunks = list(bomb(layers))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableBody, match="longer than 16 MiB"):
            await read_body(response(chunks, ", ".join(["gzip"] * layers)), 16 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


async def test_an_inner_bomb_that_gives_nothing_is_left_too() -> None:
    """Its outer layer unpacks to more than the bound, its inner one to nothing."""
    empty_block = b"\x00\x00\x00\xff\xff"  # https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4
    inner = gzipped(b"")[:10] + empty_block * 400_000
    assert len(inner) > MIB
    with pytest.raises(UnreadableBody, match="longer than 1 MiB"):
        await read_body(response([gzipped(inner)], "gzip, gzip"), MIB)
