"""The child process of `serve`: it moves what is due, and tells people and senders. Only it opens tokens and calls.

It ends with its parent: asked by it at the end, and by itself where the parent was killed.
"""

import asyncio
import os
import sys
from collections.abc import Callable

from migration.runtime.log import get_logger
from migration.runtime.process_tree import ChildProcess

POLL_S = 0.5
AGAIN_AFTER_S = (1.0, 2.0, 5.0, 15.0)
STEADY_S = 60.0  # a child that ran for so long and then ended is started again at once
# What is past its gate comes to its end first: a number must not stay dark because pages are restarted.
ENDS_WITHIN_S = 90.0

_LOG = get_logger("serve")


class MoverChild:
    """Starts the child, and starts it again where it ends."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._child: ChildProcess | None = None
        self._ended = 0  # how often, one soon after the other

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running()

    async def keep_running(self) -> None:
        """Until it is cancelled."""
        while True:
            began = self._seconds()
            try:
                self._child = ChildProcess(command(), dict(os.environ), output=sys.stderr)
            except OSError as exc:  # the machine has no process or memory left for it now
                _LOG.warning("the process that moves numbers did not start: %s", exc.strerror)
            while self.is_running:  # noqa: ASYNC110  a process sets no event
                await asyncio.sleep(POLL_S)
            self._ended = 1 if self._seconds() - began > STEADY_S else self._ended + 1
            wait = AGAIN_AFTER_S[min(self._ended, len(AGAIN_AFTER_S)) - 1]
            _LOG.warning("the process that moves numbers has ended; it is started again in %d s", wait)
            await asyncio.sleep(wait)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._child is not None:
            self._child.stop(ENDS_WITHIN_S)


def command() -> list[str]:
    arguments = ["--follow", "--parent", str(os.getpid())]
    return [sys.executable, "-P", "-m", "migration.cli", "sweep", *arguments]
