"""Meta's webhooks at `/webhooks/PROFILE` of the public port: the handshake, and what is signed by the profile's app.

A webhook is answered 200 after its rows are durable. Nothing is set, changed or removed at Meta.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from migration.web.answers import Refused
from migration.web.bodies import read_body
from migration.web.site import Site
from migration.web.webhooks.envelope import Sender, Unreadable, read_envelope
from migration.web.webhooks.profile_keys import KeysOfProfile
from migration.web.webhooks.signature import challenge_of, is_signed

PATH = "/webhooks/"
MOST = 3 * 1024 * 1024  # bytes; Meta sends up to 3 MB
_REASONS = {400: "unreadable", 403: "not_signed", 404: "unknown_profile", 408: "unreadable", 413: "too_long"}


@dataclass(frozen=True, slots=True)
class WebhookDoor:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route(f"{PATH}{{profile}}", self.verify, methods=["GET"]),
            Route(f"{PATH}{{profile}}", self.receive, methods=["POST"]),
            # What an On-Premises client posts does not say which number it concerns: the address does.
            Route(f"{PATH}{{profile}}/{{number}}", self.receive, methods=["POST"]),
        ]

    async def verify(self, request: Request) -> Response:
        """Meta's handshake with an address that somebody has named as a callback."""
        with self._counted():
            keys = await self._keys(request)
        challenge = challenge_of(request.query_params, keys.verify_token)
        if challenge is None:
            self.site.inbox.counts.refused["handshake"] += 1
            raise Refused(403, "this is no handshake with the verify token of the profile")
        return PlainTextResponse(challenge)

    async def receive(self, request: Request) -> Response:
        number = request.path_params.get("number")
        with self._counted():
            keys = await self._keys(request)
            if number is not None and not (number.isascii() and number.isdecimal()):
                raise Refused(404, "a phone number id has digits only")
            with self.site.inbox.reading() as count:
                body = await read_body(request, MOST, count)
                if not is_signed(body, request.headers.get("x-hub-signature-256", ""), keys.app_secret):
                    raise Refused(403, "this is not signed by the profile's app; nothing was stored")
                try:
                    updates = read_envelope(body, Sender(request.path_params["profile"], keys.app_id, number))
                except Unreadable as exc:
                    raise Refused(400, f"{exc}; nothing was stored") from None
            await self.site.inbox.keep(updates)
        if not updates:  # taken, because its sender would send it again, and again
            self.site.inbox.counts.refused["other_object"] += 1
        return JSONResponse({"received": len(updates)})

    async def _keys(self, request: Request) -> KeysOfProfile:
        keys = await self.site.profile_keys.of(request.path_params["profile"])
        if keys is None:
            raise Refused(404, "no profile of this name has an app secret and a verify token in the admin file")
        return keys

    @contextmanager
    def _counted(self) -> Iterator[None]:
        refused = self.site.inbox.counts.refused
        try:
            yield
        except Refused as exc:
            refused[_REASONS.get(exc.status, "full")] += 1
            raise
        except Exception:
            refused["not_stored"] += 1
            raise


async def webhook_urls(site: Site) -> dict[str, str]:
    """By profile: where its webhooks are taken. Of profiles whose app secret and verify token can be read."""
    return {
        profile: f"{site.public_url}{PATH}{quote(profile, safe='')}"
        for profile in site.app.admin.profiles
        if await site.profile_keys.of(profile) is not None
    }
