"""The address of the database as people write it, as SQLAlchemy takes it.

What is written in a URL is in `https://www.postgresql.org/docs/current/libpq-connect.html`; of its parameters asyncpg
takes `sslmode`, and the others from the environment (PGSSLROOTCERT, PGAPPNAME and so on).
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from sqlalchemy import URL

SQLITE = frozenset({"sqlite", "sqlite3", "sqlite+aiosqlite", "sqlite+pysqlite"})
POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
FORMS = "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
PATHS = ("/", "~", "./", "../")
FILES = (".db", ".sqlite", ".sqlite3")


def database_url(written: str) -> str:
    """The URL for SQLAlchemy. Raises ValueError with a reason that shows nothing of a password."""
    written = written.strip()
    scheme, mark, rest = written.partition("://")
    if not mark:
        is_name = written.endswith(FILES) and not any(sign in written for sign in "@:\\")
        if written.startswith(PATHS) or is_name:
            return _sqlite(written)
        raise ValueError(f"it has no scheme; {FORMS}")
    scheme = scheme.lower()
    if scheme in SQLITE:
        if rest and not rest.startswith("/"):
            raise ValueError("a file of SQLite has three slashes, an absolute path four: sqlite:////srv/cutover.db")
        return _sqlite(rest[1:])
    if scheme in POSTGRES:
        return _postgres(rest)
    raise ValueError(f"a database of kind {scheme[:30]} is not supported; {FORMS}")


def _sqlite(path: str) -> str:
    path, _, parameters = path.partition("?")
    if parameters:
        raise ValueError("a file of SQLite takes no parameters")
    if path in ("", ":memory:"):
        raise ValueError("a database in memory would forget the fleet; name a file: sqlite:///PATH")
    full = Path(unquote(path)).expanduser().absolute()
    if full.is_dir():
        raise ValueError(f"{full} is a folder; name a file in it")
    return f"sqlite+aiosqlite:///{full}"


def _postgres(rest: str) -> str:
    """The last `@` ends user and password: the password may have any character, as it is or in percent signs."""
    before, has_user, after = rest.rpartition("@")
    user, _, password = before.partition(":")
    place, _, parameters = after.partition("?")
    address, _, name = place.partition("/")
    host, port = _host_and_port(address)
    url = URL.create(
        "postgresql+asyncpg",
        username=unquote(user) or None if has_user else None,
        password=unquote(password) or None if has_user else None,
        host=host or None,
        port=port,
        database=unquote(name) or None,
        query=_parameters(dict(parse_qsl(parameters, keep_blank_values=True))),
    )
    return url.render_as_string(hide_password=False)


def _host_and_port(address: str) -> tuple[str, int | None]:
    host, mark, port = address.rpartition(":")
    if not mark or address.endswith("]"):
        return _host(address), None
    if "[" in host and "]" not in host:  # the colon was one of the address
        return _host(address), None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError("the port after the host is not a number from 1 to 65535")
    return _host(host), int(port)


def _host(written: str) -> str:
    """Without the brackets of an IPv6 address."""
    if written.startswith("[") and written.endswith("]"):
        written = written[1:-1]
    if "," in written:
        raise ValueError("it names several hosts; name one, or the address that their failover keeps")
    if any(sign in "[]" or sign.isspace() for sign in written):
        raise ValueError("the host is not a name or an address; an IPv6 address stands in brackets: [::1]")
    return written


def _parameters(given: Mapping[str, str]) -> dict[str, str]:
    taken = {}
    for name, value in given.items():
        if name in ("sslmode", "ssl"):
            if value not in SSL_MODES:
                raise ValueError(f"{name} is one of {', '.join(SSL_MODES)}")
            taken["ssl"] = value
        elif name == "host" and value.startswith("/"):  # the folder of a socket
            taken["host"] = value
        elif name in ("host", "port", "user", "dbname", "password"):
            raise ValueError(f"give {name} before the question mark; {FORMS}")
        else:
            shown = name if name.isidentifier() else "of that name"
            raise ValueError(f"no parameter {shown} is taken; set it in the environment, as PGSSLROOTCERT or PGAPPNAME")
    return taken
