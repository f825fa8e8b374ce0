"""What a signal asks of this process: with the first one to come to an end, with the second one to end at once.

SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed) mean the same. The handler only notes the first signal and
calls whoever registered for it: a worker then begins nothing more and finishes what is past its gate. The second signal
ends the process without waiting for threads, sockets or the database; what is true is in SQL. Imports nothing of ours
and little of Python's, because it is installed before everything else is imported.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED_BY_HAND = 130  # exit code, as docs/commands.md lists it
# How long the second signal waits for the main thread, which may be inside a call of C. Then a thread ends the process.
GRACE_S = 0.3
REPEATED_AFTER_S = 2.0


class StopRequest:
    """Whether this process was asked to end. `request` may be called from a signal handler."""

    def __init__(self) -> None:
        self.requested = False
        self._callbacks: list[Callable[[], object]] = []

    def request(self) -> None:
        self.requested = True
        for callback in tuple(self._callbacks):
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Within it, `callback` is called at the request; at once where that was made before."""
        self._callbacks.append(callback)
        try:
            if self.requested:
                callback()
            yield
        finally:
            self._callbacks.remove(callback)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """For waiting at a prompt: within it, a request raises KeyboardInterrupt."""
        with self.calling(_interrupt):
            yield


def _interrupt() -> None:
    raise KeyboardInterrupt


# Signals belong to the process, so what they asked for does too.
PROCESS = StopRequest()
_installed_in: list[int] = []  # pids: a fork needs a pipe and a thread of its own
_last_acts: list[Callable[[], object]] = []


def install() -> StopRequest:
    """Take over the signals of this process. Call it in the main thread."""
    if os.getpid() in _installed_in:
        return PROCESS
    _installed_in.append(os.getpid())
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    threading.Thread(target=_end_on_second_signal, args=(read_end,), daemon=True, name="second signal").start()
    for number in SIGNALS:
        # `nohup` ignores SIGHUP for us; whoever sends one of the others means it.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    return PROCESS


def install_in_command() -> None:
    """Take over the signals if this process is the command `cutover`, and not another program that imports it."""
    program = sys.argv[0] if sys.argv else ""
    as_module = program == "-m" and "migration.cli" in sys.orig_argv
    if os.path.basename(program) == "cutover" or as_module:  # noqa: PTH119  pathlib takes 10 ms more to import
        install()


@contextmanager
def before_sudden_end(act: Callable[[], object]) -> Iterator[None]:
    """Within it, a second signal calls `act` (such as killing child processes) before it ends the process."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


def end_now(exit_code: int) -> None:
    """End this process without waiting for anything."""
    for act in reversed(_last_acts):
        with suppress(Exception):
            act()
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h")  # a progress bar hides the cursor
    os._exit(exit_code)


def _handle(number: int, frame: FrameType | None) -> None:
    if not PROCESS.requested:
        # What is cancelled now may still be waited for by a thread, whose complaint nobody can use.
        threading.excepthook = lambda _args: None
        sys.unraisablehook = lambda _args: None
        PROCESS.request()
    elif number != signal.SIGHUP:  # a terminal that is closed sends several
        end_now(STOPPED_BY_HAND)


def _end_on_second_signal(read_end: int) -> None:
    """Python's own handlers wait until the main thread leaves a call of C; the wake-up pipe does not."""
    seen = bytearray()
    while len(seen) < 2 or seen[1:] == bytes([signal.SIGHUP]) * (len(seen) - 1):
        seen += bytes(number for number in os.read(read_end, 64) if number in SIGNALS)
    time.sleep(GRACE_S)
    end_now(STOPPED_BY_HAND)


@contextmanager
def stopping_on_sigterm() -> Iterator[StopRequest]:
    """For a process whose signals are another program's, such as Prefect's: that one gets the signal at the end.

    Within it, SIGTERM is a request to stop. One that comes REPEATED_AFTER_S later goes to the other program at
    once; earlier it is the same one, passed on by a supervisor. Outside of the main thread there are no signals.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous, first_at = signal.getsignal(signal.SIGTERM), 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first_at
        if not stop.requested:
            first_at = time.monotonic()
            stop.request()
        elif time.monotonic() - first_at > REPEATED_AFTER_S and callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, previous)
        if stop.requested:
            signal.raise_signal(signal.SIGTERM)
