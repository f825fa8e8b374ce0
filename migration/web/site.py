"""What every page is given: the object graph, who may sign in, and how often one may do what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import HTMLResponse

from migration.app import App
from migration.errors import BadSetting
from migration.home.admin_file import RouterSettings
from migration.runtime.stop_request import StopRequest
from migration.web.answers import Refused, SignInNeeded, too_often
from migration.web.bodies import MAX_FORM, Form, read_form
from migration.web.limits import Limiter, Rate
from migration.web.pages import page
from migration.web.sessions import MIN_TOKEN, Session, Sessions
from migration.web.sign_in_link import SignInLink
from migration.web.webhooks.inbox import Inbox
from migration.web.webhooks.profile_keys import ProfileKeys
from state.record_key import RecordKey, record_key_of

RATES = {
    "sign in": Rate(10, 10.0),
    "change": Rate(60, 1.0),
    "reveal": Rate(20, 15.0),
    "door": Rate(200, 0.1),
    "bad door": Rate(20, 3.0),
    "bad router": Rate(20, 3.0),
    "room": Rate(60, 1.0),
    "bad room": Rate(20, 10.0),
    "room code": Rate(5, 30.0),
}


@dataclass(frozen=True, slots=True)
class Gateway:
    """An SMS gateway of the admin file, with the secret that signs its posts."""

    kind: str
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Router:
    """A router of the admin file. `customers` None: it sees every number."""

    name: str
    token: SecretStr
    customers: frozenset[str] | None

    def sees(self, route: Mapping[str, Any]) -> bool:
        return self.customers is None or route["customer"] in self.customers


@dataclass(slots=True, kw_only=True)
class Site:
    """`name`: of whoever started `serve`; the printed link signs that person in."""

    app: App
    sessions: Sessions
    link: SignInLink
    stop: StopRequest
    public_url: str
    inbox: Inbox
    profile_keys: ProfileKeys
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    routers: tuple[Router, ...] = ()
    limiters: dict[str, Limiter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rate in RATES.items():
            self.limiters.setdefault(name, Limiter(rate, self.app.clock.boot_time))

    def check_rate(self, what: str, sender: str) -> None:
        """Raises Refused where it was done too often."""
        wait = self.limiters[what].take(sender)
        if wait:
            raise too_often(wait)

    def sender_of(self, request: Request) -> str:
        """Whose allowance is used: the address that the connection comes from, or that a known proxy has it from."""
        sender = request.client.host if request.client is not None else "nobody"
        forwarded = request.headers.getlist("x-forwarded-for")
        if sender in self.app.admin.web.proxy_addresses and forwarded:
            return forwarded[-1].rpartition(",")[2].strip()[:64] or sender
        return sender

    def operator(self, request: Request) -> Session:
        """Who is signed in. Raises SignInNeeded."""
        session = self.sessions.of(request)
        if session is None:
            raise SignInNeeded
        return session

    async def change(self, request: Request, *, most: int = MAX_FORM, rate: str = "change") -> tuple[Session, Form]:
        """Who sent this form, and its fields. Raises Refused for a form of another site or session."""
        session = self.operator(request)
        check_origin(request, self.app.admin.web.pages_url)
        self.check_rate(rate, session.name)
        form = await read_form(request, most)
        self.sessions.check_form(session, form.get("mark"))
        return session, form

    def notice(self, request: Request) -> str:
        """What was done before the redirect that led here."""
        return NOTICES.get(request.query_params.get("done", ""), "")

    def page(self, request: Request, name: str, session: Session, **values: Any) -> HTMLResponse:
        """A page of somebody who is signed in."""
        given: dict[str, Any] = {
            "notice": self.notice(request),
            "refusal": "",
            "here": request.url.path,
            "who": session,
        }
        return page(name, **given | values)


# What was done, after the redirect that follows a change: the address says which, and carries no text of its own.
NOTICES: Mapping[str, str] = {
    "held": "It is on hold: it does not pass its gate.",
    "released": "It may pass its gate.",
    "due": "It is due now; a worker or this server goes on with it within seconds.",
    "aborted": "It goes back: its senders are told to go on.",
    "wave-held": "The wave is held: no further number passes its gate.",
    "wave-released": "The wave goes on with what you released.",
    "wave-stopped": "The wave was stopped for good.",
    "wave-begun": "The wave has begun.",
    "wave-concurrency": "The wave moves as many at once as you set.",
    "taken": "You have taken it over: no reminder follows until it is over.",
    "code": "The code is kept; it is tried within seconds.",
}


def make_site(app: App, name: str, stop: StopRequest, public_url: str) -> Site:
    """Raises BadSetting for a token that cannot be read or is too short."""
    web, folder = app.admin.web, app.settings.admin_path.parent
    tokens = {name: source.read(f"web.tokens.{name}", folder) for name, source in web.tokens.items()}
    seconds = partial(_seconds, app)
    sessions = Sessions(record_key(app), web, tokens, seconds, home_id=app.home.home_id)
    gateways = {
        name: Gateway(row.kind, row.secret.read(f"web.gateways.{name}", folder)) for name, row in web.gateways.items()
    }
    routers = tuple(_router(name, row, folder) for name, row in web.routers.items())
    link = SignInLink(name, app.clock.boot_time)
    return Site(
        app=app,
        sessions=sessions,
        link=link,
        stop=stop,
        public_url=public_url,
        inbox=Inbox(app.ledger.webhooks.store),
        profile_keys=ProfileKeys(app),
        gateways=gateways,
        routers=routers,
    )


def _router(name: str, settings: RouterSettings, folder: Path) -> Router:
    """Raises BadSetting for a token that cannot be read or is too short."""
    token = settings.token.read(f"web.routers.{name}", folder)
    if len(token.get_secret_value()) < MIN_TOKEN:
        raise BadSetting(f"web.routers.{name}: it has fewer than {MIN_TOKEN} characters")
    return Router(name, token, settings.customers)


def _seconds(app: App) -> float:
    return app.clock.now().timestamp()


def record_key(app: App) -> RecordKey:
    """Raises BadSetting where no process with the master key has opened the home yet."""
    key = record_key_of(app.database)
    if key is None:
        raise BadSetting("this home has no key of its record yet; `cutover init` makes one")
    return key


def check_origin(request: Request, *own: str | None) -> None:
    """Raises Refused for what another site makes a browser send.

    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    origin = request.headers.get("origin")
    allowed = {request.headers.get("host", "")} | {urlsplit(site).netloc for site in own if site is not None}
    other = origin is not None and _place_of(origin) not in allowed
    if other or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Refused(403, "the form came from another site; nothing was changed")


def _place_of(origin: str) -> str | None:
    """Host and port; None of what is no address, such as one with half a bracket."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
