"""A port that takes a connection and closes it: the same proof with TLS as without, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from migration.clients.onprem_reading import connection_refused


@asynccontextmanager
async def port_that(*, answers: bool) -> AsyncIterator[int]:
    """A port on loopback that closes each connection at once, or answers rubbish to whatever it is sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answers:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_connection_closed_at_once_is_refused(scheme: str) -> None:
    async with port_that(answers=False) as port, httpx.AsyncClient(verify=False) as client:
        with pytest.raises(httpx.TransportError) as raised:
            await client.get(f"{scheme}://127.0.0.1:{port}/v1/health")
    assert connection_refused(raised.value)


async def test_a_port_that_answers_without_tls_is_not_closed() -> None:
    async with port_that(answers=True) as port, httpx.AsyncClient(verify=False) as client:
        with pytest.raises(httpx.ConnectError) as raised:
            await client.get(f"https://127.0.0.1:{port}/v1/health")
    assert not connection_refused(raised.value)
