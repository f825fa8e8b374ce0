"""The map of httpx's errors, the shared clients, the dry run, and values of uncertain JSON."""

import ssl
from typing import Any

import httpx
import pytest

from migration.clients.http import SEND_BY, TooLate, transport_errors
from migration.clients.http_clients import HttpClients
from migration.clients.json_values import int_or_none, json_body
from migration.errors import MigrationError, OutcomeUnknown, Transient, WriteRefused
from migration.scrubbing.texts import Scrubber
from tests.harness.clock import START, FakeClock

NOT_SENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, TooLate]
NO_RESPONSE = [
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
]


def raised_by(error: Exception, *, write: bool) -> MigrationError:
    with pytest.raises(MigrationError) as raised, transport_errors("POST /x", write=write):
        raise error
    assert raised.value.__cause__ is error
    assert str(raised.value).startswith("POST /x: ")
    return raised.value


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("kind", NOT_SENT)
def test_a_request_that_was_not_sent_is_transient_and_not_counted(
    kind: type[httpx.TransportError], write: bool
) -> None:
    error = raised_by(kind("failed"), write=write)
    assert isinstance(error, Transient)
    assert not error.answered


@pytest.mark.parametrize("kind", NO_RESPONSE)
def test_without_a_response_a_write_is_unknown_and_a_read_is_transient(kind: type[httpx.TransportError]) -> None:
    assert isinstance(raised_by(kind("failed"), write=True), OutcomeUnknown)
    error = raised_by(kind("failed"), write=False)
    assert isinstance(error, Transient)
    assert not error.answered


def test_other_errors_pass_through_the_map() -> None:
    with pytest.raises(WriteRefused), transport_errors("POST /x", write=True):
        raise WriteRefused("a dry run")


# -- the shared clients


def http_clients(*, dry_run: bool = False) -> tuple[HttpClients, list[ssl.SSLContext | None]]:
    made: list[ssl.SSLContext | None] = []

    def transport(tls: ssl.SSLContext | None) -> httpx.MockTransport:
        made.append(tls)
        return httpx.MockTransport(lambda request: httpx.Response(302, headers={"location": "https://elsewhere.test"}))

    return HttpClients(FakeClock(START), dry_run=dry_run, transport=transport), made


async def test_a_redirect_is_not_followed() -> None:
    clients, _ = http_clients()
    assert (await clients.graph.get("https://graph.test/x")).status_code == 302
    await clients.aclose()


async def test_a_new_graph_client_has_its_own_transport() -> None:
    clients, made = http_clients()
    shared = len(made)
    async with clients.new_graph_client() as client:
        assert client is not clients.graph
    assert len(made) == shared + 1
    await clients.aclose()


async def test_only_an_instance_with_unverified_tls_has_another_client() -> None:
    clients, _ = http_clients()
    assert clients.onprem(verify_tls=True) is clients.graph
    assert clients.onprem(verify_tls=False) is not clients.graph
    await clients.aclose()


async def test_every_client_refuses_writes_in_a_dry_run() -> None:
    clients, _ = http_clients(dry_run=True)
    for client in (clients.graph, clients.new_graph_client(), clients.onprem(verify_tls=False)):
        with pytest.raises(WriteRefused):
            await client.post("https://graph.test/x")
        assert (await client.get("https://graph.test/x")).status_code == 302
    await clients.aclose()


async def test_every_client_has_the_send_deadline() -> None:
    clients, _ = http_clients()
    for client in (clients.graph, clients.new_graph_client(), clients.onprem(verify_tls=False)):
        with pytest.raises(TooLate):
            await client.post("https://graph.test/x", extensions={SEND_BY: FakeClock(START).boot_time()})
    await clients.aclose()


# -- values of JSON


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5), ("5", 5), (None, None), ("five", None), ([5], None), ({}, None), ("", None)]
)
def test_an_integer_is_read_from_a_number_or_text(value: Any, number: int | None) -> None:
    assert int_or_none(value) == number


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"cut', b"\xff\xfe\xff"])
def test_a_body_that_is_not_json_is_none(content: bytes) -> None:
    assert json_body(httpx.Response(200, content=content), Scrubber()) is None
