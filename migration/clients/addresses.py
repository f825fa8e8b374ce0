"""Addresses that a person gives us: what is wrong with one, before anything is sent to it."""

MOST_LABEL, MOST_HOST = 63, 253  # https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4


def address_problem(address: str, *, base: bool = True) -> str | None:
    """What is wrong with an http(s) address, as the end of a sentence; None where nothing is.

    `base`: paths are put behind it, so it must not end in a query. Never quotes the address, which may hold a password.
    """
    if any(character.isspace() or not character.isprintable() for character in address):
        return "has a space or a control character in it"
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return "does not begin with http:// or https://"
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    if not authority.isascii() and not authority.rpartition(":")[2].isascii() and ":" in authority:
        return "has no port from 1 to 65535 after the colon"
    return _host_problem(address) or _rest_problem(address, base=base)


def check_address(address: str) -> str:
    """The address as it was given. Raises ValueError for one that paths cannot be put behind."""
    return _checked(address, base=True)


def check_hook_address(address: str) -> str:
    """As `check_address`, for an address that is called as it is and may have a query."""
    return _checked(address, base=False)


def _checked(address: str, *, base: bool) -> str:
    problem = address_problem(address, base=base)
    if problem is not None:
        raise ValueError(f"the address {problem}")
    return address


def _host_problem(address: str) -> str | None:
    import httpx  # noqa: PLC0415  whoever only reads the record needs no HTTP

    try:
        url = httpx.URL(address)
        host, port = url.raw_host.decode("ascii"), url.port
        shown = url.host
    except httpx.InvalidURL as exc:
        return "has no port from 1 to 65535 after the colon" if "port" in str(exc) else "has no valid host name"
    except (ValueError, UnicodeError):
        return "has no valid host name"
    if port is not None and not 1 <= port <= 65_535:
        return "has no port from 1 to 65535 after the colon"
    if not shown or "%" in host or len(host) > MOST_HOST:
        return "has no valid host name"
    labels = host.removesuffix(".").split(".") if ":" not in host else []
    if any(not 1 <= len(label) <= MOST_LABEL for label in labels):
        return "has no valid host name"
    return None


def _rest_problem(address: str, *, base: bool) -> str | None:
    import httpx  # noqa: PLC0415

    url = httpx.URL(address)
    if base and (url.query or url.fragment or address.endswith(("?", "#"))):
        return "has a `?` or `#` in it; only host, port and path are meant"
    if base and url.userinfo:
        return "has a user name in it; it belongs in a field of its own"
    return None
