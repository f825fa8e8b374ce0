"""Stands before every page: known hosts only, safe headers on each answer, and an answer to every error."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from migration.app import EXPECTED_ERRORS
from migration.errors import MigrationError
from migration.operations.customer_rooms import PATH as ROOM
from migration.runtime.log import get_logger
from migration.web.answers import Refused, SignInNeeded
from migration.web.pages import page, refusal, wants_json
from migration.web.room_texts import asked_language, languages
from state.database import is_database_error
from state.errors import NotFound, StateError

_LOG = get_logger("web")
# For probes and scrapers, which ask by an address of their own; nothing secret is there and nothing can be changed.
OF_ANY_HOST = ("/healthz", "/metrics")
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with "no-referrer" a browser sends no origin with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "x-robots-tag": "noindex, nofollow",
}
NOT_KEPT = "no-store"
MOST_PATH = 1_000  # characters; the longest address of ours has a third of them
DATABASE_AWAY = "the database does not answer; nothing was changed. See `cutover runbook database-down`"


def known_hosts(host: str, *sites: str | None) -> frozenset[str]:
    """Names under which a listener is asked: those of this machine, the one that it is bound to, and its site's.

    A name of somebody else that leads to this machine is no way in.
    https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    names = {"127.0.0.1", "localhost", "::1", host.strip("[]").lower()}
    names |= {(urlsplit(site).hostname or "").lower() for site in sites if site is not None}
    return frozenset(names - {"0.0.0.0", "::", ""})  # noqa: S104  it is no name of a host


class Guard:
    """`hosts`: the names under which it is asked. `secure`: it is reached by https from outside."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, secure: bool = False) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
        if secure:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def send_safely(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name for name, _ in message["headers"]}
                added = [*self._headers, (b"cache-control", NOT_KEPT.encode())]
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in given)]
            await send(message)

        request = Request(scope, receive)
        scope["app"] = self._app  # so that Starlette raises what it would answer itself
        try:
            _check_address(scope)
            self._check_host(request)
            await self._app(scope, receive, send_safely)
        except Exception as exc:  # noqa: BLE001 -- each error has one clear answer
            refused = _as_refused(exc)
            if begun:
                _LOG.warning("an answer broke off: %s", refused.reason)
                return
            await _answer(request, refused)(scope, receive, send_safely)

    def _check_host(self, request: Request) -> None:
        if request.scope["path"] in OF_ANY_HOST:
            return
        try:
            host = (urlsplit(f"//{request.headers.get('host', '')}").hostname or "").lower()
        except ValueError:
            host = ""
        if host not in self._hosts:
            raise Refused(
                400, "this host is not known here; `pages_url` and `public_url` in [web] of the admin file name hosts"
            )


def _check_address(scope: Scope) -> None:
    """No page has such an address, and no database takes it; a number of thousands of digits is none of Python's."""
    path = scope["path"]
    if len(path) > MOST_PATH or "\0" in path or not path.isprintable():
        raise Refused(404, "there is no page at this address")
    try:
        scope["query_string"].decode()  # as Starlette does for every address of a request
    except UnicodeDecodeError:
        raise Refused(400, "the address has bytes in it that no address has; write them as %C3%A9") from None


def _answer(request: Request, refused: Refused) -> Response:
    """Whoever opens a page and is not signed in is led to where that is done; the address is not kept."""
    opens_page = request.method in ("GET", "HEAD") and "text/event-stream" not in request.headers.get("accept", "")
    if isinstance(refused, SignInNeeded) and opens_page and not wants_json(request):
        return RedirectResponse("/sign-in", 303)
    if request.scope["path"].startswith(ROOM):
        return _to_customer(request, refused)
    return refusal(request, refused, as_json=_is_door(request))


def _to_customer(request: Request, refused: Refused) -> Response:
    """Whoever is in a room is told nothing of commands, and in a language of its own."""
    language = asked_language(request)
    text = languages()[language]
    values = {"language": language, "direction": text["direction"], "text": text}
    name = "closed" if refused.status == 404 else "later"
    title, reason = text[f"{name}_title"], text[name]
    return page("room_closed.html", status=refused.status, title=title, reason=reason, **values)


def _is_door(request: Request) -> bool:
    return bool(request.scope["path"].startswith(("/doors/", "/webhooks/", "/v1/")))


def _as_refused(exc: Exception) -> Refused:
    """One clear answer for each error; a defect of ours goes to the log by its kind, and never to the page."""
    if isinstance(exc, Refused):
        return exc
    if isinstance(exc, HTTPException):
        reason = "there is no page at this address" if exc.status_code == 404 else "it does not take this method"
        return Refused(exc.status_code, reason, headers=exc.headers)
    if is_database_error(exc) or isinstance(exc, OSError):
        _LOG.warning("the database does not answer: %s", type(exc).__name__)
        return Refused(503, DATABASE_AWAY, retry_after_s=5)
    if isinstance(exc, NotFound):
        return Refused(404, str(exc))
    if isinstance(exc, StateError | MigrationError):
        return Refused(409, str(exc))
    if isinstance(exc, EXPECTED_ERRORS):
        return Refused(503, DATABASE_AWAY, retry_after_s=5)
    _LOG.error("a page failed: %s", type(exc).__name__, exc_info=exc)
    return Refused(500, "something failed that should not; it is in the log. Nothing more was changed")
