"""A self-signed certificate is accepted only where the inventory says so: over real TLS."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from migration.clients.certificates import Authority, Pin, pin_in_usual_form
from migration.clients.http_clients import HttpClients
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.onprem_reading import Reading
from migration.clock import SystemClock
from migration.errors import BadSetting, Transient

BODY = b'{"health": {"gateway_status": "connected"}, "users": [{"token": "t"}]}'
RECEIVED: list[bytes] = []  # requests
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS context with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            RECEIVED.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate(tmp_path)) as listener:
        # The refused connections are failed handshakes of this server too: they are expected, so they are not reported.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.fixture
async def http_clients() -> AsyncIterator[HttpClients]:
    clients = HttpClients(SystemClock())
    yield clients
    await clients.aclose()


async def test_a_self_signed_certificate_is_refused_unless_the_inventory_allows_it(
    url: str, http_clients: HttpClients
) -> None:
    for verify, kind in ((True, Reading.UNREACHABLE), (False, Reading.SERVING)):
        http = http_clients.onprem(verify_tls=verify)
        client = OnPremApi(http, url, "admin", SecretStr("secret"), LoginSession(), "client-1")
        assert (await client.reading()).kind is kind


async def test_the_certificate_of_graph_is_always_verified(url: str, http_clients: HttpClients) -> None:
    for http in (http_clients.graph, http_clients.new_graph_client()):
        with pytest.raises(Transient, match="never left") as raised:
            await http.send("GET", url, call="GET /", by=http.within(5.0), write=False)
        assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value.__cause__)
        await http.aclose()


def fingerprint(folder: Path) -> str:
    pem = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    return pem.fingerprint(hashes.SHA256()).hex()


async def test_a_pinned_certificate_is_accepted_and_every_other_one_is_sent_nothing(
    url: str, tmp_path: Path, http_clients: HttpClients
) -> None:
    pinned = http_clients.onprem(verify_tls=True, trust=Pin(fingerprint(tmp_path)))
    client = OnPremApi(pinned, url, "admin", SecretStr("secret"), LoginSession(), "client-1")
    assert (await client.reading()).kind is Reading.SERVING
    requests = len(RECEIVED)
    for verify in (True, False):
        other = http_clients.onprem(verify_tls=verify, trust=Pin("00" * 32))
        client = OnPremApi(other, url, "admin", SecretStr("secret"), LoginSession(), "client-1")
        reading = await client.reading()
        assert (reading.kind, "its certificate is not accepted" in reading.detail) == (Reading.UNREACHABLE, True)
    assert len(RECEIVED) == requests


async def test_a_certificate_of_an_own_authority_is_accepted(
    url: str, tmp_path: Path, http_clients: HttpClients
) -> None:
    trusting = http_clients.onprem(verify_tls=True, trust=Authority(tmp_path / "server.pem"))
    client = OnPremApi(trusting, url, "admin", SecretStr("secret"), LoginSession(), "client-1")
    assert (await client.reading()).kind is Reading.SERVING
    by_another_name = OnPremApi(
        trusting, url.replace("127.0.0.1", "localhost"), "admin", SecretStr("secret"), LoginSession(), "client-1"
    )
    assert (await by_another_name.reading()).kind is Reading.UNREACHABLE


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_an_authority_without_a_certificate_is_a_bad_setting(
    tmp_path: Path, http_clients: HttpClients, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadSetting, match=r"ca\.pem holds no certificate"):
        http_clients.trusting(Authority(file))


@pytest.mark.parametrize(
    "given",
    [
        "sha256:" + "ab" * 32,
        "SHA256:" + "AB:" * 31 + "AB",
        "sha256 Fingerprint=" + "AB:" * 31 + "AB",
        "sha-256 " + "ab" * 32,
    ],
)
def test_a_fingerprint_is_taken_as_tools_show_it(given: str) -> None:
    assert pin_in_usual_form(given) == "sha256:" + "ab" * 32


@pytest.mark.parametrize("given", ["ab" * 32, "sha256:" + "ab" * 31, "sha1:" + "ab" * 20, "house", ""])
def test_what_is_no_fingerprint_is_none(given: str) -> None:
    assert pin_in_usual_form(given) is None
