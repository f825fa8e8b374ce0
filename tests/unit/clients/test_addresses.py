"""Addresses that cannot be called are found before anything is sent to them."""

import pytest

from migration.clients.addresses import address_problem

PORT = "has no port from 1 to 65535 after the colon"
HOST = "has no valid host name"
SCHEME = "does not begin with http:// or https://"
CHARACTER = "has a space or a control character in it"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("https://host:port", PORT),
        ("https://host:99999", PORT),
        ("https://host:0", PORT),
        ("https://host:-1", PORT),
        ("https://host:٣", PORT),
        ("https://host:8080x/v1", PORT),
        ("", SCHEME),
        ("host", SCHEME),
        ("host:9090", SCHEME),
        ("//host", SCHEME),
        ("ftp://host", SCHEME),
        ("file:///etc/passwd", SCHEME),
        ("https:/host", SCHEME),
        ("https://a b", CHARACTER),
        ("https://a\x00b", CHARACTER),
        ("https://a\nb", CHARACTER),
        ("https://\u202ehost", CHARACTER),
        ("https://host/\ud800", CHARACTER),
        ("https://", HOST),
        ("https:///path", HOST),
        ("https://:80", HOST),
        ("https://a..b", HOST),
        ("https://xn--a", HOST),
        ("https://☃☃☃.", HOST),
        ("https://" + "a" * 64, HOST),
        ("https://" + "a." * 130 + "b", HOST),
        ("https://%00", HOST),
        ("http://256.1.1.1", HOST),
        ("https://host?x=1", "has a `?` or `#` in it; only host, port and path are meant"),
        ("https://host/#x", "has a `?` or `#` in it; only host, port and path are meant"),
        ("https://me:secret@host", "has a user name in it; it belongs in a field of its own"),
    ],
    ids=ascii,
)
def test_a_bad_address_is_explained(address: str, problem: str) -> None:
    assert address_problem(address) == problem


@pytest.mark.parametrize(
    "address",
    [
        "https://host",
        "http://host:9090/",
        "https://[::1]:9090",
        "https://10.0.0.1",
        "https://ü.test",
        "HTTPS://a_b.test.",
    ],
)
def test_a_good_address_has_no_problem(address: str) -> None:
    assert address_problem(address) is None


def test_a_hook_may_have_a_query() -> None:
    assert address_problem("https://senders.test/hook?room=1", base=False) is None
