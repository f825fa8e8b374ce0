"""Where a worker dies: at its nth commit, or before or after the nth call that changes something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


class Killed(BaseException):
    """The worker died here; nothing of it runs any more. Not an `Exception`, so that no product code catches it."""


@dataclass
class CrashPoint:
    """Counts commits and sends of one worker, and raises `Killed` at the chosen one. Counting starts at 1."""

    at_commit: int | None = None
    before_send: int | None = None
    after_send: int | None = None
    commits: int = 0
    sends: int = 0
    reached: bool = False
    on_commit: Callable[[], None] | None = None  # called at every commit

    @classmethod
    def at(cls, kind: str, nth: int) -> Self:
        """`kind` is "at_commit", "before_send" or "after_send"."""
        point = cls()
        setattr(point, kind, nth)
        return point

    def committed(self) -> None:
        self.commits += 1
        if self.on_commit is not None:
            self.on_commit()
        if self.commits == self.at_commit:
            self.crash()

    def sending(self) -> None:
        self.sends += 1
        if self.sends == self.before_send:
            self.crash()

    def sent(self) -> None:
        if self.sends == self.after_send:
            self.crash()

    def crash(self) -> None:
        self.reached = True
        raise Killed
