"""Signing in on the operators' port: the link that `serve` prints, or a named token; a proxy's header needs no page."""

import ipaddress
import sys
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from migration.web.answers import Refused
from migration.web.bodies import read_form
from migration.web.pages import page
from migration.web.site import Site, check_origin


@dataclass(frozen=True, slots=True)
class SignIn:
    site: Site

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in", self.show, methods=["GET"]),
            Route("/sign-in", self.by_token, methods=["POST"]),
            Route("/sign-in/print", self.print_link, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """With the link, a session; without it, the form for a token."""
        link = request.query_params.get("link")
        if link is None:
            return self._form(request)
        self.site.check_rate("sign in", self.site.sender_of(request))
        if is_loopback(request) and self.site.link.use(link):
            return self._signed_in(request, self.site.link.name, "link")
        if self.site.sessions.of(request) is not None:
            return RedirectResponse("/", 303)
        return self._form(request, 403, "This link is not good any more.")

    async def by_token(self, request: Request) -> Response:
        check_origin(request, self.site.app.admin.web.pages_url)
        self.site.check_rate("sign in", self.site.sender_of(request))
        name = self.site.sessions.named_by_token((await read_form(request)).get("token").strip())
        if name is None:
            return self._form(request, 403, "No operator has this token.")
        return self._signed_in(request, name, "token")

    async def print_link(self, request: Request) -> Response:
        """Whoever can read what `serve` prints may sign in again; whoever presses the button sees nothing."""
        check_origin(request, self.site.app.admin.web.pages_url)
        self.site.check_rate("sign in", self.site.sender_of(request))
        if not is_loopback(request):
            raise Refused(403, "links are for this machine; sign in with a token")
        self.site.link.renew()
        sys.stderr.write(f"cutover: sign in at http://{request.headers['host']}{self.site.link.path}\n")
        sys.stderr.flush()
        return self._form(request, 200, "A new link stands where `cutover serve` runs.")

    async def sign_out(self, request: Request) -> Response:
        session, _ = await self.site.change(request)
        response = RedirectResponse("/sign-in", 303)
        self.site.sessions.end(request, response, session)
        return response

    def _form(self, request: Request, status: int = 200, problem: str = "") -> Response:
        has_tokens, near = self.site.sessions.has_tokens, is_loopback(request)
        return page("sign_in.html", status=status, problem=problem, has_tokens=has_tokens, near=near)

    def _signed_in(self, request: Request, name: str, way: str) -> Response:
        """Always to the first page: an address from outside is never followed."""
        response = RedirectResponse("/", 303)
        self.site.sessions.begin(request, response, name, way)
        return response


def is_loopback(request: Request) -> bool:
    """Whether the request comes from this machine, and not through a proxy on it."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client is not None else "")
    except ValueError:
        return False
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return address.is_loopback and not forwarded
