"""Runs one command, and ends it with whoever asked for it. A script: `python -I -S command_guard.py SECONDS COMMAND...`

A stop command that outlives its worker would stop a client that somebody else takes for untouched. So the command
runs in a session of its own, and the whole session is killed when the standard input of this script ends (its
worker is gone, killed or not) or when its time is over. Exits as the command does, with 128 and the signal's number
where a signal ended it, or with 124 where this script did. Uses the standard library only, to start in milliseconds.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic

KILLED = 124
NOT_FOUND = 127


def main(seconds: float, command: list[str]) -> int:
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    give_up = monotonic() + seconds
    child = os.fork()
    if child == 0:
        _become(command)
    while (left := give_up - monotonic()) > 0:
        ready, _, _ = select.select([0, ended], [], [], left)
        if ended in ready:
            os.read(ended, 64)
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid == child:
                exit_code = os.waitstatus_to_exitcode(status)
                return exit_code if exit_code >= 0 else 128 - exit_code
        if 0 in ready and not os.read(0, 64):
            break
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)  # also where it had no session of its own yet
    os.waitpid(child, 0)
    return KILLED


def _become(command: list[str]) -> None:
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606  the command of the admin file, without a shell
    except OSError as exc:
        sys.stderr.write(f"{command[0]} cannot be run: {exc.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
