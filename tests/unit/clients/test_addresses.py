"""Addresses that cannot be called are found before anything is sent to them."""

import pytest

from migration.clients.addresses import address_problem, check_address, is_clear

PORT = "has no port from 1 to 65535 after the colon"
HOST = "has no valid host name"
SCHEME = "does not begin with http:// or https://"
CHARACTER = "has a space or a control character in it"
ASCII = "has other characters than ASCII in it; write the host as xn--..., and the rest with %"
USER_NAME = "has a user name in it; it belongs in a field of its own"
NOBODY = "is no address of a single host"
PATH = "has a path with other characters than letters, digits and `-._~`"
DOTS = "has `.` or `..` as a part of its path"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("https://host:port", PORT),
        ("https://host:99999", PORT),
        ("https://host:0", PORT),
        ("https://host:-1", PORT),
        ("https://host:٣", ASCII),
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
        ("https://☃☃☃.", ASCII),
        ("https://" + "a" * 64, HOST),
        ("https://" + "a." * 130 + "b", HOST),
        ("https://%00", HOST),
        ("http://256.1.1.1", HOST),
        ("https://host?x=1", "has a `?` or `#` in it; only host, port and path are meant"),
        ("https://host/#x", "has a `?` or `#` in it; only host, port and path are meant"),
        ("https://me:secret@host", USER_NAME),
        ("http://a@b", USER_NAME),
        ("http://@b", USER_NAME),
        ("http://:@b", USER_NAME),
        ("http://a%40c@b", USER_NAME),
        ("http://10.0.0.1:80@b", USER_NAME),
        ("http://a;@b", USER_NAME),
        ("http://a\\@b", "has a backslash in it"),
        ("http:\\\\a", SCHEME),
        ("http://a\\b", "has a backslash in it"),
        ("http://a#@b", "has a `?` or `#` in it; only host, port and path are meant"),
        ("http://a?", "has a `?` or `#` in it; only host, port and path are meant"),
        ("http://a#", "has a `?` or `#` in it; only host, port and path are meant"),
        ("https://ü.test", ASCII),
        ("https://\u0440\u0430\u0443\u0440\u0430l.test", ASCII),
        ("https://\uff45xample.test", ASCII),
        ("https://a\u3002test", ASCII),
        ("https://a\uff0fb.test", ASCII),
        ("https://xn--", HOST),
        ("https://a,b", HOST),
        ("https://a%2eb", HOST),
        ("https://-a", HOST),
        ("https://a-", HOST),
        ("http://127.1", HOST),
        ("http://2130706433", HOST),
        ("http://0x7f000001", HOST),
        ("http://0177.0.0.1", HOST),
        ("http://1.2.3.4.", HOST),
        ("http://[::ffff:10.0.0.1]", HOST),
        ("http://[fe80::1%25eth0]", HOST),
        ("http://[1.2.3.4]", HOST),
        ("http://::1", PORT),
        ("http://[::1]9090", PORT),
        ("http://host:", PORT),
        ("http://0.0.0.0", NOBODY),
        ("http://[::]", NOBODY),
        ("http://169.254.169.254", NOBODY),
        ("http://224.0.0.1", NOBODY),
        ("http://255.255.255.255", NOBODY),
        ("http://host/a/../b", DOTS),
        ("http://host/a/%2E%2e/b", DOTS),
        ("http://host//b", PATH),
        ("http://host/a%2fb", PATH),
        ("http://host/a;b", PATH),
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
        "https://xn--bcher-kva.test",
        "HTTPS://a_b.test.",
        "http://host/onprem/1/",
    ],
)
def test_a_good_address_has_no_problem(address: str) -> None:
    assert address_problem(address) is None


def test_a_hook_may_have_a_query() -> None:
    assert address_problem("https://senders.test/hook?room=1", base=False) is None


@pytest.mark.parametrize(
    "address", ["https://senders.test/hook#x", "https://a@senders.test", "https://h/../x", "http://h\\x"]
)
def test_a_hook_has_no_user_name_fragment_or_way_up(address: str) -> None:
    assert address_problem(address, base=False) is not None


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        ("HTTPS://Host.Test.:443/a/", "https://host.test/a"),
        ("http://host:0080", "http://host"),
        ("http://[0:0::1]:9090/", "http://[::1]:9090"),
    ],
)
def test_one_address_has_one_form(given: str, usual: str) -> None:
    assert check_address(given) == usual


@pytest.mark.parametrize(
    ("address", "clear"),
    [
        ("https://host", False),
        ("http://127.0.0.2:80", False),
        ("http://localhost:9", False),
        ("http://client.localhost", False),
        ("http://[::1]", False),
        ("http://host", True),
        ("http://10.0.0.1", True),
        ("http://localhost.evil.test", True),
        ("http://127.0.0.1.evil.test", True),
    ],
)
def test_only_this_machine_is_reached_without_tls_and_unread(address: str, clear: bool) -> None:
    assert is_clear(address) is clear
