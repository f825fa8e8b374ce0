"""One door a gateway, at `/doors/NAME` of the public port. What comes through is a code like any other.

Each post gets one clear answer: 200 where the code is stored, else 4xx with the reason, and then nothing was changed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from migration.operations.received_codes import CodeVerdict, take_code
from migration.web.answers import Refused
from migration.web.bodies import read_body
from migration.web.doors.gateway_message import Adapter, GatewayMessage, Post, plain
from migration.web.doors.json_gateway import read_json_post
from migration.web.doors.twilio import read_twilio_post
from migration.web.site import Gateway, Site
from state.errors import NotFound

ADAPTERS: Mapping[str, Adapter] = {"json": read_json_post, "twilio": read_twilio_post}
MOST = 64 * 1024  # bytes; an SMS in many parts has 10 KiB
_SCHEME = re.compile(r"^(?:tel|sms|whatsapp):", re.IGNORECASE)
UNREADABLE = (CodeVerdict.NO_CODE, CodeVerdict.SEVERAL)


def receiver(to: str) -> str:
    """The number that received it, in the forms in which gateways write it: as an address, or as it is dialled."""
    number = _SCHEME.sub("", plain(to).strip())[:60]
    return f"+{number.removeprefix('00')}" if number.startswith("00") else number


@dataclass(frozen=True, slots=True)
class Doors:
    site: Site

    def routes(self) -> list[Route]:
        return [Route("/doors/{gateway}", self.receive, methods=["POST"])]

    async def receive(self, request: Request) -> Response:
        sender, name = self.site.sender_of(request), request.path_params["gateway"]
        gateway = self.site.gateways.get(name)
        if gateway is None:
            self.site.check_rate("bad door", sender)
            raise Refused(404, "no gateway of this name is in the admin file")
        message = await self._read(request, gateway, sender)
        self.site.check_rate("door", name)
        posts = self.site.app.ledger.gateway_posts
        if not await posts.begin(name, message.key):
            raise Refused(409, "this was received before; nothing was changed")
        stored = False
        try:
            answer = await take_code(
                self.site.app, receiver(message.to), message.text, door="gateway", by=f"gateway {name}"
            )
            stored = answer.accepted
        except NotFound:
            raise Refused(404, "the number that received it is not one of this fleet; nothing was changed") from None
        finally:
            await posts.end(name, message.key, stored=stored)
        if not answer.accepted:
            raise Refused(422 if answer.verdict in UNREADABLE else 409, answer.message)
        if gateway.kind == "twilio":  # an empty answer of TwiML: no reply is sent to whoever wrote
            return Response("<?xml version='1.0' encoding='UTF-8'?><Response/>", media_type="text/xml")
        return JSONResponse({"taken": True, "number": answer.ref})

    async def _read(self, request: Request, gateway: Gateway, sender: str) -> GatewayMessage:
        body = await read_body(request, MOST)
        query = f"?{request.url.query}" if request.url.query else ""
        url = f"{self.site.public_url}{request.url.path}{query}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        post = Post(url, headers, body, self.site.app.clock.now().timestamp())
        try:
            return ADAPTERS[gateway.kind](post, gateway.secret)
        except Refused:
            self.site.check_rate("bad door", sender)
            raise
