"""Where a text holds a secret, whole or in part, however it is written.

Two texts count as alike when their letters and digits are: case, spaces, dashes and other signs make no difference.
"""

import unicodedata
from collections.abc import Iterable, Iterator

from migration.scrubbing.decoding import decoded, encoded_parts

Span = tuple[int, int]

PART = 8  # so many characters of a secret, in a row, give too much of it away
LONG = 4096  # of a longer secret only its beginning and its end are searched for in parts of 8 characters
LONG_PART = 16  # the rest of it in parts of this length,
LONG_READ = 600  # in so many letters of a text: each look into a backup of 10 MB takes milliseconds
SHORT = 6  # a shorter secret counts only as a word of its own, or a common word could not be shown any more
MAX_DEPTH = 3  # base64 in base64 in base64


def compact(text: str) -> str:
    """Its letters and digits, without the marks that stand on them."""
    return "".join(filter(str.isalnum, text if text.isascii() else unicodedata.normalize("NFKD", text)))


class SecretTexts:
    """Secrets to search for. Adding one takes time once; searching takes time by the length of the text.

    `loose`: they are found whatever signs stand between their letters, as a text from outside may write them. Our own
    sentences name keys, files and ids; in them `main.token` is no part of the secret `main-token-1`.
    """

    def __init__(self, secrets: Iterable[str] = (), *, loose: bool = True) -> None:
        self._loose = loose
        self._whole: set[str] = set()
        self._words: dict[str, set[str]] = {}  # by their first two characters
        self._parts: set[str] = set()
        self._long: list[str] = []
        for secret in secrets:
            self.add(secret)

    def __bool__(self) -> bool:
        return bool(self._whole or self._words)

    def add(self, secret: str) -> None:
        if len(secret) > LONG:
            self._long.append(secret)
            self._add_parts(compact(secret[:LONG]))
            self._add_parts(compact(secret[-LONG:]))
            return
        for spelling in {secret, decoded(secret)}:
            letters = compact(spelling)
            if self._loose and len(letters) >= SHORT:
                self._whole.add(compact(letters.lower()))
                self._add_parts(letters)
            elif len(spelling) > 1:
                for word in _as_words(spelling.lower()):
                    self._words.setdefault(word[:2], set()).add(word)
            if len(letters) >= SHORT:
                self._add_parts(spelling)

    def is_one_of(self, text: str) -> bool:
        return text in self._whole or text in self._words.get(text[:2], ())

    def _add_parts(self, secret: str) -> None:
        """A part that reads as a word is left out where others do not: `password` of `password-1` tells nothing."""
        if len(secret) <= PART:
            return
        parts = [secret[at : at + PART] for at in range(len(secret) - PART + 1)]
        telling = [part for part in parts if any(map(str.isdigit, part)) or any(map(str.isupper, part[1:]))]
        self._parts.update(part.lower() for part in telling or parts)

    def spans(self, text: str) -> list[Span]:
        """Where the text, without escapes, holds one; in base64 or hex too."""
        if not (self._whole or self._words or self._parts or self._long):
            return []
        found = [*self._plain_spans(text)]
        found += [(start, end) for start, end, inner in encoded_parts(text) if self._inside(inner, MAX_DEPTH - 1)]
        return found

    def _inside(self, text: str, depth: int) -> bool:
        """Whether what was encoded holds one. Words are not looked for: by chance, anything reads as one."""
        text = decoded(text)
        if any(True for _ in self._letter_spans(text)):
            return True
        return depth > 0 and any(self._inside(inner, depth - 1) for _, _, inner in encoded_parts(text) if inner)

    def _plain_spans(self, text: str) -> Iterator[Span]:
        yield from self._letter_spans(text)
        yield from self._long_spans(text[:LONG_READ])
        lower = text.lower()
        if len(lower) != len(text):
            return
        yield from self._part_spans(lower)
        yield from self._word_spans(lower)

    def _word_spans(self, text: str) -> Iterator[Span]:
        """Words that stand by themselves. Hundreds are known, so the text says which of them are tried."""
        if not self._words:
            return
        for start in range(len(text) - 1):
            if text[start - 1 : start].isalnum():
                continue
            for word in self._words.get(text[start : start + 2], ()):
                end = start + len(word)
                if text.startswith(word, start) and not text[end : end + 1].isalnum():
                    yield start, end

    def _letter_spans(self, text: str) -> Iterator[Span]:
        if text.isascii():
            found = list(self._matches(compact(text.lower())))
            if not found or text.isalnum():  # as most texts of an answer are: each character stands where it stood
                yield from found
                return
        places = [(at, letter) for at, char in enumerate(text) for letter in compact(char).lower()]
        letters = "".join(letter for _, letter in places)
        for start, end in self._matches(letters):
            yield places[start][0], places[end - 1][0] + 1

    def _matches(self, letters: str) -> Iterator[Span]:
        for secret in self._whole:
            start = letters.find(secret)
            while start >= 0:
                yield start, start + len(secret)
                start = letters.find(secret, start + 1)
        yield from self._part_spans(letters)

    def _part_spans(self, text: str) -> Iterator[Span]:
        parts = [text[at : at + PART] for at in range(len(text) - PART + 1)] if self._parts else []
        if not self._parts.isdisjoint(parts):  # of nearly no text: asked in one go
            yield from ((at, at + PART) for at, part in enumerate(parts) if part in self._parts)

    def _long_spans(self, text: str) -> Iterator[Span]:
        step = LONG_PART // 2
        for secret in self._long:
            for at in range(0, len(text) - step + 1, step):
                part = text[at : at + step]
                if " " not in part and part in secret:
                    yield max(at - step, 0), at + LONG_PART


def _as_words(secret: str) -> Iterator[str]:
    yield secret
    if secret.isdigit() and len(secret) == 6:  # a PIN or a code, as people write it
        yield f"{secret[:3]}-{secret[3:]}"
        yield f"{secret[:3]} {secret[3:]}"


def replaced(text: str, spans: Iterable[Span], sign: str) -> str:
    """The text with each span, or spans that touch, replaced by one sign."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start > done or not parts:
            parts += [text[done:start], sign]
        done = max(done, end)
    return "".join(parts) + text[done:]
