"""The operators' port: every page behind a sign-in, and what programs ask: `/healthz`, `/metrics`."""

from urllib.parse import urlsplit

from starlette.routing import Router
from starlette.types import ASGIApp

from migration.web.desk import Desk
from migration.web.guard import Guard, known_hosts
from migration.web.live import Live
from migration.web.metrics import Probes
from migration.web.number_page import NumberPage
from migration.web.numbers_page import NumbersPage
from migration.web.overview import Overview
from migration.web.sign_in import SignIn
from migration.web.site import Site
from migration.web.static import static_routes
from migration.web.wave_page import WavePage


def operators_site(site: Site, host: str) -> ASGIApp:
    """`host`: what it listens on."""
    web = site.app.admin.web
    rooms = (SignIn, Live, Overview, WavePage, NumbersPage, NumberPage, Desk)
    routes = [
        *static_routes(),
        *Probes(site.app, site.inbox.counts).routes(),
        *(route for room in rooms for route in room(site).routes()),
    ]
    router = Router(routes, redirect_slashes=False)
    secure = urlsplit(web.pages_url or "").scheme == "https"
    return Guard(router, known_hosts(host, web.pages_url), secure=secure)
