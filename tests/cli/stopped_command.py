"""Runs `cutover` and sends signals to itself at a moment that an audit event of Python marks.

`stopped_command.py EVENT TEXT SIGNALS ARGUMENT...`: the signals (numbers with commas) are sent one by one, the first at
the first event of that name with that text in its arguments, the others at the events that follow. With HANG in the
environment a thread hangs that the process would wait for at its end.
"""

import os
import signal
import sys
import threading
from typing import Any

event, text, numbers = sys.argv[1:4]
sys.argv = ["cutover", *sys.argv[4:]]
to_send = [int(number) for number in numbers.split(",")]
begun: list[str] = []


def hook(name: str, args: tuple[Any, ...]) -> None:
    if to_send and (begun or (name == event and text in str(args))):
        begun.append(name)
        os.kill(os.getpid(), to_send.pop(0))


if os.environ.pop("HANG", ""):
    threading.Thread(target=threading.Event().wait).start()
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored, where somebody has started the tests by nohup
sys.addaudithook(hook)

from migration.cli.__main__ import main  # noqa: E402  after the hook

main()
