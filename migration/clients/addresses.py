"""Addresses that a person gives us. Each is parsed once, here; what this module does not understand is refused.

Two parsers that read one address differently send a password to a host that nobody meant, so nothing is repaired: no
user name, no backslash, no escape in a host, no number in another form than the usual one.
"""

import ipaddress
import re
from dataclasses import dataclass

MOST_LABEL, MOST_HOST = 63, 253  # https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
PORTS = {"http": 80, "https": 443}

NO_HOST = "has no valid host name"
NO_PORT = "has no port from 1 to 65535 after the colon"
USER_NAME = "has a user name in it; it belongs in a field of its own"

# An underscore is no letter of a host name, but container networks name their hosts with it.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_ADDRESS = re.compile(r"[!-~]+")


class BadAddress(ValueError):
    """The text is the end of a sentence. It never quotes the address, which may hold a password."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """`host` in lower case, an IPv6 address without brackets; `path` and `query` as they were given."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def is_clear(self) -> bool:
        """Whether others on the way can read what is sent: no TLS, and not on this machine."""
        return self.scheme == "http" and not _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}{'?' if self.query else ''}{self.query}"


def parse_address(address: str, *, base: bool = True) -> WebAddress:
    """`base`: paths are put behind it, so it has no query, and no slash at its end. Raises BadAddress."""
    scheme, rest = _split(address)
    authority, path, query = _parts(rest)
    if "@" in authority:
        raise BadAddress(USER_NAME)
    host, port = _host_and_port(authority)
    if base and (query is not None or "#" in rest):
        raise BadAddress("has a `?` or `#` in it; only host, port and path are meant")
    if "#" in rest:
        raise BadAddress("has a `#` in it, which is never sent")
    if any(part in (".", "..") for part in path.lower().replace("%2e", ".").split("/")):
        raise BadAddress("has `.` or `..` as a part of its path")
    if base and _PATH.fullmatch(path) is None:
        raise BadAddress("has a path with other characters than letters, digits and `-._~`")
    return WebAddress(scheme, host, port or PORTS[scheme], path.rstrip("/") if base else path, query or "")


def address_problem(address: str, *, base: bool = True) -> str | None:
    """What is wrong with an http(s) address, as the end of a sentence; None where nothing is."""
    try:
        parse_address(address, base=base)
    except BadAddress as exc:
        return str(exc)
    return None


def is_clear(address: str) -> bool:
    """Whether what is sent there can be read on the way. An address that nobody can call sends nothing."""
    try:
        return parse_address(address, base=False).is_clear
    except BadAddress:
        return False


def check_address(address: str) -> str:
    """The address in its usual form. Raises ValueError for one that paths cannot be put behind."""
    return _checked(address, base=True)


def check_hook_address(address: str) -> str:
    """As `check_address`, for an address that is called as it is and may have a query."""
    return _checked(address, base=False)


def _checked(address: str, *, base: bool) -> str:
    try:
        return str(parse_address(address, base=base))
    except BadAddress as exc:
        raise ValueError(f"the address {exc}") from None


def _split(address: str) -> tuple[str, str]:
    """The scheme, and what follows `://`."""
    if any(character.isspace() or not character.isprintable() for character in address):
        raise BadAddress("has a space or a control character in it")
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in PORTS:
        raise BadAddress("does not begin with http:// or https://")
    if "\\" in address:
        raise BadAddress("has a backslash in it")
    if _ADDRESS.fullmatch(address) is None:
        raise BadAddress("has other characters than ASCII in it; write the host as xn--..., and the rest with %")
    return scheme.lower(), rest


def _parts(rest: str) -> tuple[str, str, str | None]:
    """Authority, path, and the query or None."""
    without_fragment = rest.partition("#")[0]
    before, mark, query = without_fragment.partition("?")
    authority, slash, path = before.partition("/")
    return authority, slash + path, query if mark else None


def _host_and_port(authority: str) -> tuple[str, int | None]:
    literal = re.fullmatch(r"\[([^\[\]]*)\](:.*)?", authority)
    host, port = literal.groups() if literal else re.fullmatch(r"([^:]*)(:.*)?", authority, re.DOTALL).groups()  # type: ignore[union-attr]  # matches everything
    if port is not None and (not re.fullmatch(r":[0-9]{1,5}", port) or not 1 <= int(port[1:]) <= 65_535):
        raise BadAddress(NO_PORT)
    checked = _ip6(host) if literal else _name_or_ip4(host.lower())
    return checked, int(port[1:]) if port is not None else None


def _ip6(host: str) -> str:
    try:
        ip = ipaddress.IPv6Address(host)
    except ValueError:
        raise BadAddress(NO_HOST) from None
    if ip.scope_id is not None or ip.ipv4_mapped is not None:
        raise BadAddress(NO_HOST)
    return _usable(ip)


def _name_or_ip4(host: str) -> str:
    labels = host.removesuffix(".").split(".")
    if len(host) > MOST_HOST or any(len(label) > MOST_LABEL or not _LABEL.fullmatch(label) for label in labels):
        raise BadAddress(NO_HOST)
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        # Libraries read 127.1, 0x7f000001 and 0177.0.0.1 as addresses too, and not all of them in the same way.
        try:
            ip = ipaddress.IPv4Address(host)
        except ValueError:
            raise BadAddress(NO_HOST) from None
        return _usable(ip)
    if not all(_is_idna(label) for label in labels):
        raise BadAddress(NO_HOST)
    return host.removesuffix(".")


def _is_idna(label: str) -> bool:
    """Whether what begins like an encoded name is one."""
    if not label.startswith("xn--"):
        return True
    try:
        name = label[4:].encode().decode("punycode")
    except UnicodeError:
        return False
    return name.isprintable() and not name.isascii()


def _usable(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Raises BadAddress for what is no host of anybody: 0.0.0.0, a group, a link's own and what nobody has."""
    if ip.is_unspecified or ip.is_multicast or ip.is_link_local or (ip.is_reserved and not ip.is_loopback):
        raise BadAddress("is no address of a single host")
    if ip.version == 4 and ip in ipaddress.IPv4Network("0.0.0.0/8"):
        raise BadAddress("is no address of a single host")
    return str(ip)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # https://www.rfc-editor.org/rfc/rfc6761#section-6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
