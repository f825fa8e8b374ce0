"""Values from JSON bodies whose types are not guaranteed."""

from typing import Any

import httpx


def json_body(response: httpx.Response) -> Any:
    """The parsed body, or None where it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def int_or_none(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
