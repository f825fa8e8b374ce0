"""Runs one command, and ends it with whoever asked for it.

A script: `python -I -S command_guard.py SEND_BY SECONDS COMMAND...`. SEND_BY is a time of the machine's boot clock.

A stop command that outlives its worker would stop a client that somebody else takes for untouched. So the command and
all of its descendants are killed when the standard input of this script ends (its worker is gone, killed or not) or
when the time is over, which also runs while the machine is suspended. Descendants are found as children of children:
also one that began a session of its own stays a descendant, because whoever loses its parent becomes a child of ours.

Two processes watch, and each ends everything where the other one is killed: this one, and the keeper, the parent of
the command. What can not be ended is in docs/inventory.md. Exits as the command does, with 128 and the signal's number
where a signal ended it, or with 124 where this script did. A number may be dark while this starts: it imports nothing
that takes long to load, as pathlib, contextlib and typing do.
"""

import ctypes
import os
import select
import signal
import sys
import time

KILLED = 124
LATE = 125
NOT_FOUND = 127
LATE_LINE = "not run: its time had passed"
# https://man7.org/linux/man-pages/man2/prctl.2.html
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 1.0  # how late a suspended machine may notice that the time is over


def main(send_by: float, seconds: float, command: list[str]) -> int:
    """The guard. `send_by`: seconds of the boot clock."""
    if _boot_time() >= send_by:
        sys.stderr.write(f"{LATE_LINE}\n")
        return LATE
    give_up = _boot_time() + seconds
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    guard = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        os._exit(_keep(guard, command))
    while (left := give_up - _boot_time()) > 0:
        ready, _, _ = select.select([0, ended], [], [], min(left, _TICK_S))
        if ended in ready:
            os.read(ended, 64)
            pid, status = os.waitpid(keeper, os.WNOHANG)
            if pid == keeper and os.WIFEXITED(status):
                return os.WEXITSTATUS(status)
            if pid == keeper:
                break  # the keeper was killed; what it kept is ours now
        if 0 in ready and not os.read(0, 64):
            break
    _kill_descendants()
    return KILLED


def _keep(guard: int, command: list[str]) -> int:
    """The keeper: waits for the command, and ends all of it where the guard is killed."""
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _become(keeper, command)
    while os.getppid() == guard:
        if signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGTERM:
            break
        for pid, status in _ended_children():
            if pid == child:
                exit_code = os.waitstatus_to_exitcode(status)
                return exit_code if exit_code >= 0 else 128 - exit_code
    _kill_descendants()
    return KILLED


def _become(keeper: int, command: list[str]) -> None:
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGTERM})
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(KILLED)  # it was killed before the line above
        os.execvp(command[0], command)  # noqa: S606  the command of the admin file, without a shell
    except OSError as exc:
        sys.stderr.write(f"{command[0]} cannot be run: {exc.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND)


def _kill_descendants() -> None:
    """Until none is left: one that is killed may just have begun another, and one of another user cannot be killed."""
    refused: set[int] = set()
    while pids := set(_descendants()) - refused:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:
                refused.add(pid)
        for _ in _ended_children():
            pass
        time.sleep(0.005)


def _ended_children() -> list[tuple[int, int]]:
    """Collects them, with their status: a child that nobody waits for stays in the list of processes."""
    found = []
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    except ChildProcessError:
        pass  # there is none left
    return found


def _descendants() -> list[int]:
    """Processes below this one that run."""
    parents: dict[int, int] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  pathlib takes longer to load than all the rest PTH208  pathlib loads as long as all the rest:
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:  # noqa: PTH123
                state, parent, *_ = stat.read().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue  # it has ended
        if state not in "ZX":
            parents[int(pid)] = int(parent)
    found, level = [], [os.getpid()]
    while level:
        level = [pid for pid, parent in parents.items() if parent in level]
        found += level
    return found


def _boot_time() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except (OSError, AttributeError):
        return  # a system other than Linux has none


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
