"""The link that `cutover serve` prints: it signs in whoever reads its output."""

import hmac
import secrets
from collections.abc import Callable

USABLE_FOR_S = 900.0  # after it was used first: whoever printed it has signed in by then


class SignInLink:
    """Of whoever started `serve`: for this machine alone, and dead a while after its first use."""

    def __init__(self, name: str, seconds: Callable[[], float]) -> None:
        self.name = name
        self._seconds = seconds
        self._used_at: float | None = None
        self._secret = secrets.token_hex(24)

    @property
    def path(self) -> str:
        return f"/sign-in?link={self._secret}"

    def renew(self) -> None:
        """The link before counts no more."""
        self._secret, self._used_at = secrets.token_hex(24), None

    def use(self, typed: str) -> bool:
        """Whether this is the link, and still good."""
        if not hmac.compare_digest(self._secret.encode(), typed.encode()):
            return False
        self._used_at = self._seconds() if self._used_at is None else self._used_at
        return self._seconds() - self._used_at <= USABLE_FOR_S
