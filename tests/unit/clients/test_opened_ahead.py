"""The connection of `register` is open before its intent is committed, and used only where it is certainly open."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.http import HttpClient
from migration.clients.http_clients import HttpClients
from migration.clients.opened_ahead import FreshTransport
from migration.clients.transports import DeadlineTransport
from migration.clock import SystemClock
from tests.harness.waiting import wait_for
from tests.unit.clients.graph_stub import NUMBER, TOKEN
from tests.unit.clients.test_tls import certificate

PIN = SecretStr("123456")
ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"success":true}'


@dataclass
class Server:
    """Counts its connections, and the requests on each; with TLS a connection counts once its handshake is done."""

    port: int = 0
    requests: list[int] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.requests)
        self.requests.append(0)
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
                await reader.readexactly(int(lengths[0][15:]))
                self.requests[place] += 1
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended += 1
        finally:
            writer.close()

    async def until(self, connections: int) -> None:
        async def read() -> bool:
            return len(self.requests) >= connections

        await wait_for(read, "the connection", within_s=10)

    async def until_ended(self, connections: int) -> None:
        async def read() -> bool:
            return self.ended >= connections

        await wait_for(read, "the end of the connection", within_s=10)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        server.port = listener.sockets[0].getsockname()[1]
        yield server
        for writer in server.writers:
            writer.close()


@pytest.fixture
async def clients() -> AsyncIterator[HttpClients]:
    clients = HttpClients(SystemClock())
    yield clients
    await clients.aclose()


def graph(clients: HttpClients, server: Server) -> GraphApi:
    return GraphApi(clients.graph, clients.new_graph_client, f"http://127.0.0.1:{server.port}/v25.0", TOKEN)


async def register(client: GraphApi) -> None:
    await client.register(NUMBER, PIN, None, send_by=SystemClock().boot_time() + 5)


async def test_the_connection_is_there_before_the_call_and_is_the_calls_own(
    clients: HttpClients, server: Server
) -> None:
    client = graph(clients, server)
    client.connect_ahead()
    await server.until(1)
    assert server.requests == [0]
    await register(client)
    assert server.requests == [1]
    await register(client)  # nothing was opened ahead for it
    assert server.requests == [1, 1]


async def test_a_call_that_comes_before_the_connection_is_there_waits_for_it(
    clients: HttpClients, server: Server
) -> None:
    client = graph(clients, server)
    client.connect_ahead()
    await register(client)
    assert server.requests == [1]


async def test_a_connection_that_the_server_has_closed_is_not_used(clients: HttpClients, server: Server) -> None:
    client = graph(clients, server)
    client.connect_ahead()
    await server.until(1)
    server.writers[0].close()
    await server.writers[0].wait_closed()
    await asyncio.sleep(0.05)  # loopback carries the end of the connection over
    await register(client)
    assert server.requests == [0, 1]


async def test_a_connection_on_which_the_server_has_said_something_is_not_used(
    clients: HttpClients, server: Server
) -> None:
    client = graph(clients, server)
    client.connect_ahead()
    await server.until(1)
    server.writers[0].write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    await server.writers[0].drain()
    await asyncio.sleep(0.05)
    await register(client)
    assert server.requests == [0, 1]


async def test_where_nothing_can_be_opened_ahead_the_call_says_what_is_wrong(clients: HttpClients) -> None:
    client = GraphApi(clients.graph, clients.new_graph_client, "http://127.0.0.1:1/v25.0", TOKEN)
    client.connect_ahead()
    with pytest.raises(Exception, match="never left"):
        await register(client)


async def test_what_is_not_used_is_closed_at_the_end(clients: HttpClients, server: Server) -> None:
    client = graph(clients, server)
    client.connect_ahead()
    await server.until(1)
    await clients.aclose()
    await server.until_ended(1)


async def test_the_tls_handshake_is_done_ahead_too(tmp_path: Path) -> None:
    server, secured = Server(), certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=secured) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        client = HttpClient(DeadlineTransport(FreshTransport(trusting), SystemClock().boot_time), SystemClock())
        client.open_ahead(url)
        await server.until(1)
        answer = await client.send("POST", url, call="POST /", by=client.within(5), write=True, json_body={"a": 1})
        assert (answer.status_code, server.requests) == (200, [1])
        await client.aclose()


async def test_a_certificate_that_is_not_accepted_is_not_accepted_ahead_either(tmp_path: Path) -> None:
    server, secured = Server(), certificate(tmp_path)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # of the refused handshakes
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=secured) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        transport = FreshTransport(ssl.create_default_context())
        client = HttpClient(DeadlineTransport(transport, SystemClock().boot_time), SystemClock())
        client.open_ahead(url)
        with pytest.raises(Exception, match="its certificate is not accepted"):
            await client.send("POST", url, call="POST /", by=client.within(5), write=True, json_body={"a": 1})
        assert server.requests == []
        await client.aclose()
