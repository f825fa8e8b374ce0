"""The body of a response, bounded while it arrives: also after decompression, and whatever its headers promise."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx

MIB = 1024 * 1024
MOST_BYTES = MIB
# The settings backup of a client that has been in use for years; the figure is ours (Meta documents none).
MOST_BACKUP_BYTES = 16 * MIB
# What we accept. Another encoding may come all the same; then the body counts as unreadable.
ACCEPTED_ENCODING = "gzip"

_PIECE = 65_536
_MOST_LAYERS = 2
_MOST_MEMBERS = 100  # of one gzip body; each costs time, however little is in it
# zlib's window sizes: 47 recognises the header of gzip and of zlib by itself, -15 is deflate without a header.
_GZIP_OR_ZLIB, _RAW_DEFLATE = 47, -15


class UnreadableBody(Exception):
    """The body is too long, cut, or encoded in a way that we do not read."""


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The decoded body. Reads no more than `most` bytes, before and after decompression. Raises UnreadableBody."""
    decoders = [_Inflater(most) for _ in _encodings(response.headers)]
    pieces: list[bytes] = []
    arrived = length = 0
    async for chunk in _chunks(response):
        arrived += len(chunk)
        if arrived > most:
            raise UnreadableBody(_too_long(most))
        for piece in _decoded(chunk, decoders):
            length += len(piece)
            if length > most:
                raise UnreadableBody(_too_long(most))
            pieces.append(piece)
    if arrived and any(not decoder.complete for decoder in decoders):
        raise UnreadableBody("the compressed body is cut")
    return b"".join(pieces)


def _too_long(most: int) -> str:
    return f"the body is longer than {most // MIB} MiB"


def _encodings(headers: httpx.Headers) -> list[str]:
    """The encodings that were put on, without those that change nothing. Raises UnreadableBody."""
    names = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MOST_LAYERS or not {*names} <= {"gzip", "x-gzip", "deflate"}:
        raise UnreadableBody("the body is encoded in a way that was not asked for")
    return names


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """As they arrive. Gives the event loop its turn, so that an endless row of tiny chunks can be cut."""
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    count = 0
    async for chunk in stream:
        yield chunk
        count += 1
        if count % 64 == 0:
            await asyncio.sleep(0)


def _decoded(chunk: bytes, decoders: Iterable["_Inflater"]) -> Iterator[bytes]:
    pieces: Iterable[bytes] = (chunk,)
    for decoder in decoders:
        pieces = decoder.pieces(pieces)
    return iter(pieces)


class _Inflater:
    """Decompresses gzip or deflate in small pieces, and stops at a bound: so a bomb takes no memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 0
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._began = False
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._inflate.eof

    def pieces(self, compressed: Iterable[bytes]) -> Iterator[bytes]:
        for data in compressed:
            yield from self._pieces(data)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate.eof:
                self._begin_next_member()
            piece = self._next(data)
            self._length += len(piece)
            if self._length > self._most:
                raise UnreadableBody(_too_long(self._most))
            if piece:
                yield piece
            data = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _begin_next_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise UnreadableBody("the compressed body has too many parts")
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    def _next(self, data: bytes) -> bytes:
        began, self._began = self._began, True
        try:
            return self._inflate.decompress(data, _PIECE)
        except zlib.error:
            if began:
                raise UnreadableBody("the compressed body is broken") from None
        # Some servers call it deflate and leave out the header.
        self._inflate = zlib.decompressobj(_RAW_DEFLATE)
        return self._next(data)
