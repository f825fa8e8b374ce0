"""Renders pages. Every value goes through `for_cell`: no full number, no known secret, no markup of others."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from migration.scrubbing.rendering import for_cell
from migration.web.answers import Refused
from migration.web.static import version

_CODE = re.compile(r"`([^`]+)`")
FOLDER = Path(__file__).parent
TITLES = {
    400: "This was not understood",
    401: "Sign in first",
    403: "This is not allowed",
    404: "There is no such page",
    405: "This page does not take that",
    409: "This was not done",  # refused, or somebody was faster; the text says which
    413: "That is too long",
    429: "Too often",
    503: "The database does not answer",
}


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["exact"] = exact
    made.filters["with_code"] = with_code
    made.globals["static_version"] = version()
    made.globals["filled"] = filled
    return made


def _shown(value: Any) -> Any:
    """What stands in a page for a value of ours or of somebody else."""
    if isinstance(value, Markup | int | float):
        return value
    return "" if value is None else for_cell(value)


def exact(text: str) -> Markup:
    """For what must come back from the browser as it was sent, such as a token: escaped, and else unchanged."""
    return Markup.escape(text)


def with_code(text: object) -> Markup:
    """A sentence of ours for the body of a page: what stands in backticks is shown as code, without them."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(Markup.escape("" if text is None else for_cell(text)))))  # noqa: S704


def filled(text: str, **values: object) -> Markup:
    """A sentence with values in it; each value keeps its own direction in a sentence from right to left."""
    shown = {name: Markup('<bdi dir="ltr">{}</bdi>').format(for_cell(value)) for name, value in values.items()}
    return Markup.escape(for_cell(text)).format(**shown)


def render(name: str, **values: Any) -> str:
    return environment().get_template(name).render(**values)


def page(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(name, **values), status)


def wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted or request.headers.get("content-type", "").startswith("application/json")


def refusal(request: Request, refused: Refused, *, as_json: bool = False) -> Response:
    """A page for people, one line of JSON for programs."""
    answer: Response
    if as_json or wants_json(request):
        answer = JSONResponse({"error": refused.reason}, refused.status)
    else:
        title = TITLES.get(refused.status, TITLES[400])
        answer = page("refused.html", status=refused.status, title=title, reason=refused.reason)
    answer.headers.update(refused.headers)
    return answer
