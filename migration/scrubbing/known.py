"""The secrets of this process's recent calls, for the last net before something is stored, logged or printed."""

from collections.abc import Collection, Iterable
from threading import Lock

from migration.scrubbing.masking import SIGN
from migration.scrubbing.secret_search import LONG, SecretTexts, replaced

MAX_REMEMBERED = 500  # secrets, twice; at the size of a token some megabytes
MAX_IDS = 20_000


def _exact() -> SecretTexts:
    return SecretTexts(loose=False)


class KnownSecrets:
    """Forgets the oldest half from time to time, so that its size is bounded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._older, self._newer = _exact(), _exact()
        self._seen: set[str] = set()
        self._ids: set[str] = set()
        self.is_empty = True  # no secret is looked for: a command that only reads has none

    @property
    def ids(self) -> Collection[str]:
        """Ids of recent calls, such as phone number ids: no phone numbers, though they may look like one."""
        return self._ids

    def remember(self, secrets: Iterable[str], ids: Iterable[str] = ()) -> None:
        """A short secret without a digit is left out: it may be any word, and our own sentences would lose it."""
        with self._lock:
            if len(self._ids) > MAX_IDS:
                self._ids = set()
            self._ids |= set(ids)
            for secret in secrets:
                is_word = len(secret) < 16 and not any(map(str.isdigit, secret))
                if secret in self._seen or is_word or len(secret) > LONG:
                    continue
                if len(self._seen) >= MAX_REMEMBERED:
                    self._older, self._newer = self._newer, _exact()
                    self._seen = set()
                self._seen.add(secret)
                self._newer.add(secret)
                self.is_empty = False

    def without_secrets(self, text: str) -> str:
        if self.is_empty:
            return text
        with self._lock:
            return replaced(text, [*self._older.spans(text), *self._newer.spans(text)], SIGN)


KNOWN = KnownSecrets()
