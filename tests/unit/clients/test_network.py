"""Whether a connection is still open is asked of its socket, and of nothing that costs more."""

import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpcore
import pytest

from migration.clients.network import Connection


class Stream(httpcore.AsyncNetworkStream):
    """A stream on a socket; counts what is asked of it."""

    def __init__(self, ours: socket.socket | None) -> None:
        self.ours = ours
        self.asked: Counter[str] = Counter()

    def get_extra_info(self, info: str) -> Any:
        self.asked.update([info])
        return self.ours if info == "socket" else None


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_silent_connection_is_open_and_its_socket_is_asked_for_once(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    stream = Stream(pair[0])
    connection = Connection(stream)
    assert [connection.get_extra_info("is_readable") for _ in range(3)] == [False, False, False]
    assert stream.asked == {"socket": 1}


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 408 Request Timeout\r\n"], ids=["closed", "said something"])
def test_a_server_that_has_closed_or_spoken_unasked_is_seen(
    pair: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    connection = Connection(Stream(pair[0]))
    assert not connection.get_extra_info("is_readable")
    pair[1].sendall(said)
    if not said:
        pair[1].close()
    assert connection.get_extra_info("is_readable")


def test_a_connection_that_we_have_closed_is_not_used(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(Stream(pair[0]))
    assert not connection.get_extra_info("is_readable")
    number = pair[0].fileno()
    pair[0].close()
    with socket.socket() as another:  # it takes the number that is free now
        assert another.fileno() == number
        assert connection.get_extra_info("is_readable")


def test_a_stream_without_a_socket_is_not_used() -> None:
    assert Connection(Stream(None)).get_extra_info("is_readable")
