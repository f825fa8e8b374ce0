"""The exit codes of every verb. Imports little: `cutover --help` needs no more."""

from enum import IntEnum

from migration.runtime.stop_request import STOPPED_BY_HAND


class ExitCode(IntEnum):
    """docs/commands.md lists them too."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_ALL_MOVED = 3
    NOT_ALL_PROVED = 4  # moved, and some have not shown that they work, or a person has to look at something
    NO_SUCH = 10
    HELD_BY_ANOTHER = 11
    CREDENTIALS = 12
    INTERRUPTED = STOPPED_BY_HAND  # what a shell shows for a command that Ctrl-C ended


STOPPED = "stopped by hand; every number is where `cutover status` says, and `cutover run` goes on from there"
