"""Sends one message through Apprise. What a target is told holds no secret; its address is one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from migration.errors import MigrationError
from migration.notify.notify_targets import Target
from migration.scrubbing.texts import once_more, remember

SEND_WITHIN_S = 30.0
# Apprise gives an answer four seconds. A service that takes longer has the message, and would get it again each time.
ANSWER_WITHIN_S = 15.0
MOST_LINES = 20
THREADS = 4  # of one target


class NotTaken(MigrationError):
    """The target did not take the message."""


def body_of(lines: tuple[str, ...], cause_id: int | None) -> str:
    """The text of a message: one line a number, and how a person takes the cause over."""
    shown = list(lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        shown.append(f"and {len(lines) - MOST_LINES} more; see `cutover status`")
    if cause_id is not None:
        shown.append(f"To stop reminders: `cutover notify --take-over {cause_id}`")
    return "\n".join(shown) or "See `cutover status`."


async def send(target: Target, title: str, body: str, *, urgent: bool) -> None:
    """Raises NotTaken with why, scrubbed. It may have arrived nevertheless: a message is sent at least once."""
    remember(target.url)
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            url, loop = target.url.get_secret_value(), asyncio.get_running_loop()
            error = await loop.run_in_executor(_threads_of(target.name), _notify, url, title, body, urgent)
    except TimeoutError:
        raise NotTaken(f"{target.shown} did not answer within {SEND_WITHIN_S:.0f} s") from None
    except Exception as exc:
        raise NotTaken(f"{target.shown}: {type(exc).__name__}") from exc
    if error is not None:
        raise NotTaken(f"{target.shown}: {once_more(error, 300)}")


@cache
def _threads_of(_target: str) -> ThreadPoolExecutor:
    """Those that wait for a target that says nothing are no threads of another, nor those that look up hosts' names."""
    return ThreadPoolExecutor(THREADS, "notify")


def _notify(url: str, title: str, body: str, urgent: bool) -> str | None:
    """In a thread of its own: Apprise waits for its targets. Returns why it was not taken."""
    import apprise  # noqa: PLC0415 - it and requests cost every start, and there is rarely something to tell

    told = services_at(url)
    if told is None:
        return "Apprise does not know such an address"
    kind = apprise.NotifyType.FAILURE if urgent else apprise.NotifyType.INFO
    result = told.notify(title=title, body=body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
    if result:
        return None
    written = [entry.message for service in result for attempt in service for entry in attempt.logs]
    return " ".join(written) or "it did not take the message"


def services_at(url: str) -> Any:
    """Apprise with the services of this address; None where it does not know such an address."""
    import apprise  # noqa: PLC0415 - as above

    told: Any = apprise.Apprise(asset=apprise.AppriseAsset(app_id="cutover", async_mode=False))
    if not told.add(url):
        return None
    for service in told:
        if service.socket_read_timeout == apprise.URLBase.socket_read_timeout:  # the address names no `rto` of its own
            service.socket_read_timeout = ANSWER_WITHIN_S
    return told
