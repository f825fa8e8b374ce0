"""Each far side has its own pool of connections, and a fleet of them does not stay connected."""

import httpx
import pytest

from migration.clients.transports import PoolPerOrigin

CLIENTS = [f"https://client-{at}.example:9090" for at in range(5)]


class Pools:
    """Makes transports and counts what reached each of them."""

    def __init__(self) -> None:
        self.made: list[Counting] = []

    def __call__(self) -> "Counting":
        self.made.append(Counting())
        return self.made[-1]

    def open(self) -> int:
        return sum(not pool.closed for pool in self.made)


class Counting(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.requests, self.closed = 0, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.closed
        self.requests += 1
        if request.url.path == "/lost":
            raise httpx.ReadError("lost")
        return httpx.Response(200, stream=httpx.ByteStream(b"{}"))

    async def aclose(self) -> None:
        self.closed = True


async def call(transport: PoolPerOrigin, url: str) -> httpx.Response:
    return await transport.handle_async_request(httpx.Request("GET", url))


async def read(transport: PoolPerOrigin, url: str) -> None:
    response = await call(transport, url)
    assert await response.aread() == b"{}"
    await response.aclose()


async def test_a_call_meets_only_the_connections_of_its_own_far_side() -> None:
    pools = Pools()
    transport = PoolPerOrigin(pools)
    for path in ("/v1/health", "/v1/stats"):
        for client in CLIENTS:
            await read(transport, client + path)
    assert [pool.requests for pool in pools.made] == [2] * len(CLIENTS)


async def test_the_pools_that_were_not_used_for_the_longest_time_are_closed() -> None:
    pools = Pools()
    transport = PoolPerOrigin(pools, most_idle=2)
    for client in (*CLIENTS, CLIENTS[-2], CLIENTS[0]):
        await read(transport, client)
    assert pools.open() == 2
    assert [pool.closed for pool in pools.made] == [True, True, True, False, True, False]


async def test_a_pool_whose_answer_is_still_read_stays_open() -> None:
    pools = Pools()
    transport = PoolPerOrigin(pools, most_idle=1)
    slow = await call(transport, CLIENTS[0])
    for client in CLIENTS[1:]:
        await read(transport, client)
    assert not pools.made[0].closed
    await slow.aclose()
    await read(transport, CLIENTS[1])
    assert pools.made[0].closed


async def test_a_pool_whose_request_failed_is_idle() -> None:
    pools = Pools()
    transport = PoolPerOrigin(pools, most_idle=1)
    with pytest.raises(httpx.ReadError):
        await call(transport, CLIENTS[0] + "/lost")
    await read(transport, CLIENTS[1])
    assert pools.made[0].closed


async def test_all_are_closed_at_the_end() -> None:
    pools = Pools()
    transport = PoolPerOrigin(pools)
    for client in CLIENTS:
        await read(transport, client)
    await transport.aclose()
    assert pools.open() == 0
