"""What a page answers when it does not do what was asked: one page or one line of JSON, with what to do."""

from collections.abc import Mapping

from migration.scrubbing.rendering import for_cell


class Refused(Exception):
    """The request is not carried out; nothing was changed. `status` is that of HTTP."""

    def __init__(
        self, status: int, reason: str, *, retry_after_s: float = 0.0, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(for_cell(reason))
        self.status = status
        self.headers = dict(headers or {})
        if retry_after_s:
            self.headers["retry-after"] = str(int(retry_after_s))

    @property
    def reason(self) -> str:
        return str(self.args[0])


class SignInNeeded(Refused):
    """Nobody is signed in."""

    def __init__(self) -> None:
        super().__init__(401, "sign in first")


def too_often(wait_s: float) -> Refused:
    seconds = max(int(wait_s + 0.999), 1)
    return Refused(429, f"that was too often; try again in {seconds} s", retry_after_s=seconds)
