"""What the sending of a message to one target does to everything else of the same process."""

import asyncio
import socket
from contextlib import closing

import apprise  # noqa: F401 -- its first import takes longer than what is measured here
import pytest
from pydantic import SecretStr

from migration.notify.notify_targets import CauseKind, Target
from migration.notify.sending import ANSWER_WITHIN_S, send, services_at


async def test_a_target_that_says_nothing_takes_no_thread_from_others() -> None:
    """Names of hosts are looked up in the loop's own threads: a call to a far side would wait for them."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        target = Target(SecretStr(f"json://127.0.0.1:{silent.getsockname()[1]}/"), frozenset(CauseKind))
        sending = [asyncio.ensure_future(send(target, "a title", "a body", urgent=False)) for _ in range(40)]
        await asyncio.sleep(0)
        async with asyncio.timeout(3):  # an answer is awaited for 4 s
            await asyncio.to_thread(int)
    for one in sending:
        one.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


@pytest.mark.parametrize(("more", "waits_s"), [("", ANSWER_WITHIN_S), ("?rto=3", 3.0)])
def test_a_slow_target_that_has_the_message_is_waited_for(more: str, waits_s: float) -> None:
    """Apprise itself waits for four seconds, and the message would be sent again; the address may name another time."""
    (service,) = services_at(f"json://127.0.0.1:9/{more}")
    assert service.request_timeout[1] == waits_s
