"""The second port: rooms, doors of gateways, Meta's webhooks, the feed of routers. No operator signs in here."""

from urllib.parse import urlsplit

from starlette.routing import Router
from starlette.types import ASGIApp

from migration.web.doors.receiving import Doors
from migration.web.guard import Guard, known_hosts
from migration.web.rooms import RoomPages
from migration.web.routes_feed import RoutesFeed
from migration.web.site import Site
from migration.web.static import static_routes
from migration.web.webhooks.receiving import WebhookDoor


def public_site(site: Site, host: str) -> ASGIApp:
    """`host`: what it listens on."""
    routes = [
        *static_routes(),
        *(route for room in (Doors, RoomPages, WebhookDoor, RoutesFeed) for route in room(site).routes()),
    ]
    router = Router(routes, redirect_slashes=False)
    secure = urlsplit(site.public_url).scheme == "https"
    return Guard(router, known_hosts(host, site.public_url), secure=secure)
