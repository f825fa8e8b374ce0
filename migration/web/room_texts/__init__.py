"""What the customers' rooms say, one file a language. To add a language, add a file with the same keys."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request

FOLDER = Path(__file__).parent
ENGLISH = "en"


@cache
def languages() -> Mapping[str, Mapping[str, str]]:
    """By code, such as `pt`."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


def language_of(*wanted: str | None) -> str:
    """The first of these that there is, by its first part: `pt_BR` is `pt`. English where there is none."""
    for code in wanted:
        short = (code or "").replace("-", "_").partition("_")[0].lower()
        if short in languages():
            return short
    return ENGLISH


def asked_language(request: Request, known: str | None = None, default: str | None = None) -> str:
    """What was chosen on the page, else the customer's own, else the browser's, in the order in which it names them.

    `default`: where the browser names none that there is, as the language of the message with the code, which is
    English where nobody has said another.
    """
    header = request.headers.get("accept-language", "")[:400]
    browser = [part.partition(";")[0].strip() for part in header.split(",")]
    return language_of(request.query_params.get("language"), known, *browser, default)
