"""Values from JSON bodies whose types are not guaranteed."""

from typing import Any

import httpx

from migration.scrubbing.texts import NO_FIELDS, Fields, OutsideBody, Scrubber


def json_body(response: httpx.Response, scrubber: Scrubber, fields: Fields = NO_FIELDS) -> Any:
    """The parsed body, or None where it is not JSON. Every text in it is scrubbed, but for those of `fields`."""
    try:
        return scrubber.body(OutsideBody(response.json()), fields)
    except ValueError:
        return None


def int_or_none(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
