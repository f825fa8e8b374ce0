"""Walking a page: its commands are typed as they stand there, in states that the page is for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.harness.cli_fixture import Said
from tests.harness.operator import Operator, make_operator
from tests.runbooks.pages import TOP, typed

Fresh = Callable[[], tuple[Any, str]]  # a folder and an upgraded, empty database


@dataclass
class Walk:
    """One page; `end` fails for a command on it that no story typed."""

    page: str
    fresh: Fresh
    desk: Operator = field(init=False)
    left: list[str] = field(init=False)
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = typed(TOP / "runbooks" / f"{self.page}.md")
        self.left = list(dict.fromkeys(self.lines))

    def begin(
        self, *kinds: str, columns: dict[str, str] | None = None, only: int | None = None, **how: Any
    ) -> Operator:
        """Another story: a desk of its own with this fleet taken in."""
        folder, url = self.fresh()
        self.desk = asyncio.run(make_operator(folder, url, kinds=kinds or ("healthy",), **how))
        path = self.desk.rig.inventory(**(columns or {}))
        if only is not None:
            lines = path.read_text().splitlines()
            path.write_text("\n".join(lines[: only + 1]) + "\n")
        said = self.desk.cutover("import", str(path))
        assert said.code == 0, said.err
        return self.desk

    def wave(self, *more: str) -> None:
        said = self.desk.cutover("plan", "WAVE", *more)
        assert said.code == 0, said.err

    def type(self, what: str, *, code: int | None = 0, answer: str | None = None, place: str = "") -> Said:
        """Type the page's line that holds `what`; `place` is what stands for NAME or FILE."""
        line = self._named(what)
        self.left = [one for one in self.left if one != line]
        words = [word.strip('"') for word in _split(line)[1:]]
        if place:
            words = [place if word in ("NAME", "FILE") else word for word in words]
        said = self.desk.cutover(*words, typed=answer)
        assert code is None or said.code == code, f"{line}: {said.code} {said.err} {said.out}"
        return said

    def _named(self, what: str) -> str:
        """The line that is this command, that begins with it, or that alone holds it."""
        for line in self.lines:
            if line == f"cutover {what}":
                return line
        (line,) = [one for one in dict.fromkeys(self.lines) if one.startswith(f"cutover {what} ")] or [
            one for one in dict.fromkeys(self.lines) if what in one
        ]
        return line

    def elsewhere(self, what: str) -> None:
        """A command that a test of its own executes."""
        self.left = [line for line in self.left if what not in line]

    def end(self) -> None:
        assert self.left == [], "no story types these"


def _split(line: str) -> list[str]:
    import shlex

    return shlex.split(line)
