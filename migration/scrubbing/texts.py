"""A text from outside as a type that shows nothing, and the scrubber, which alone makes a text of it that may be shown.

Graph, clients, hooks and commands quote what they were sent: a token, a URL with its parameters, a body with the PIN.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from migration.scrubbing.characters import visible
from migration.scrubbing.decoding import decoded
from migration.scrubbing.known import KNOWN
from migration.scrubbing.masking import ID_DIGITS, SIGN, mask_numbers
from migration.scrubbing.prose import without_likely_secrets
from migration.scrubbing.secret_search import LONG, SecretTexts, replaced

if TYPE_CHECKING:
    from pydantic import SecretStr

Secret = TypeVar("Secret", "SecretStr", "SecretStr | None")

SHOWN = 300  # characters of a text from outside
CUT = " ... (cut)"
READ = 4000  # characters that are looked at; what comes after them is not shown anyway
WHOLE = 4000  # characters of a field that stays whole; Meta's longest, a description, has 512
MAX_DEPTH = 64  # of a JSON body
MOST_SEARCHES = 256  # sets of secrets that are kept ready to be searched for; those of recent calls are known anyway
NOT_SHOWN = "(a text from outside that cannot be shown)"

_ONE_WORD = re.compile(r"[A-Za-z_]{1,64}")


class SafeText(str):
    """A text that may be stored, logged and printed. Only this module makes one of a text from outside."""

    __slots__ = ()


class OutsideText:
    """A text as it came from outside. It is not a `str`, so mypy refuses it wherever a text is stored or printed;
    should it get there all the same, it shows nothing."""

    __slots__ = ("_raw",)

    def __init__(self, raw: object) -> None:
        self._raw = raw

    def __str__(self) -> str:
        return NOT_SHOWN

    def __repr__(self) -> str:
        return NOT_SHOWN

    def __format__(self, spec: str) -> str:
        return NOT_SHOWN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a text from outside is not stored")


class OutsideBody(OutsideText):
    """A parsed JSON body; `Scrubber.body` reads it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """Keys of a body whose texts stay as they are.

    `whole`: of at most WHOLE characters and without a secret of the call, such as the texts of a profile.
    `secret`: secrets that the far side gives, such as a backup; they become SecretStr.
    """

    whole: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()


NO_FIELDS = Fields()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was made of the texts of one body so far: a list of numbers has most of them many times."""

    texts: dict[str, SafeText]
    whole: dict[str, bool]  # whether one stays whole


class Scrubber:
    """Knows the secrets of one call. Never raises; its work is bounded whatever it is given.

    `numbers`: phone numbers that are masked however they are written. `ids`: what stays readable although it looks
    like a number, such as the phone number id of the call.
    """

    def __init__(
        self,
        secrets: "Iterable[SecretStr | str | None]" = (),
        *,
        numbers: Iterable[str] = (),
        ids: Iterable[str] = (),
    ) -> None:
        self._secrets = tuple(filter(None, map(_plain, secrets)))
        self._numbers = tuple(numbers)
        self._ids = frozenset(ids)
        KNOWN.remember(self._secrets, self._ids)

    @cached_property
    def _known(self) -> SecretTexts:
        return _search_for((*self._secrets, *(re.sub(r"\D", "", number) for number in self._numbers)))

    def text(self, outside: object) -> SafeText:
        """One line of at most SHOWN characters without secrets, phone numbers and control characters."""
        return SafeText(self._scrubbed(outside, shown=SHOWN))

    def identifier(self, outside: object) -> SafeText | None:
        """An id that the far side gave, such as `fbtrace_id`; None where it has not the form of one."""
        raw = _raw(outside)
        fits = isinstance(raw, str) and re.fullmatch(r"[\w.:=+/-]{1,64}", raw, re.ASCII) is not None
        return SafeText(raw) if fits and not self.holds_secret(raw) and mask_numbers(str(raw)) == raw else None

    def holds_secret(self, outside: object) -> bool:
        """Whether it holds one of this call's secrets, in any spelling."""
        return bool(self._known.spans(decoded(str(_raw(outside)))))

    def body(self, outside: OutsideBody, fields: Fields = NO_FIELDS) -> Any:
        """The JSON body with every text in it scrubbed, but for those that `fields` names."""
        return self._tree(_raw(outside), fields, None, MAX_DEPTH, _Seen({}, {}))

    def _tree(self, value: Any, fields: Fields, key: str | None, depth: int, seen: "_Seen") -> Any:
        if depth == 0:
            return None
        if isinstance(value, Mapping):
            keys = {name: name if _ONE_WORD.fullmatch(name) else self.text(name) for name in value}
            return {keys[name]: self._tree(item, fields, name, depth - 1, seen) for name, item in value.items()}
        if isinstance(value, list):
            return [self._tree(item, fields, key, depth - 1, seen) for item in value]
        if not isinstance(value, str):
            is_secret = isinstance(value, int | float) and self._known.is_one_of(str(value))
            return SafeText(SIGN) if is_secret else value
        if key in fields.secret:
            from pydantic import SecretStr  # noqa: PLC0415  whoever only reads the record needs none

            return SecretStr(value)
        if key in fields.whole and self._stays_whole(value, seen.whole):
            return value
        if value not in seen.texts:
            seen.texts[value] = self.text(value)
        return seen.texts[value]

    def _stays_whole(self, value: str, whole: dict[str, bool]) -> bool:
        if value not in whole:
            whole[value] = len(value) <= WHOLE and not self.holds_secret(value)
        return whole[value]

    def _scrubbed(self, outside: object, shown: int) -> str:
        try:
            raw = _raw(outside)
            raw = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
            return cut(self._without_secrets(_first_part(raw)), shown, was_cut=len(raw) > READ)
        except Exception:  # noqa: BLE001 -- an error about an error would hide the first one
            return NOT_SHOWN

    def _without_secrets(self, text: str) -> str:
        if _ONE_WORD.fullmatch(text) and "EAA" not in text:  # no escape, no number, nothing that looks random
            return KNOWN.without_secrets(replaced(text, self._known.spans(text), SIGN))
        text = decoded(text)[: 2 * READ]
        text = KNOWN.without_secrets(replaced(text, self._known.spans(text), SIGN))
        text = without_likely_secrets(text)
        return " ".join(mask_numbers(text, self._ids, ids_stay=False).split())


def _search_for(secrets: tuple[str, ...]) -> SecretTexts:
    """To be made ready costs more than a search: the calls of one client share it, but for those with a backup."""
    return SecretTexts(secrets) if sum(map(len, secrets)) > LONG else _shared_search(secrets)


@lru_cache(maxsize=MOST_SEARCHES)
def _shared_search(secrets: tuple[str, ...]) -> SecretTexts:
    return SecretTexts(secrets)


def remember(secret: Secret) -> Secret:
    """Returns the secret. From now on the last net takes it out of every sentence of ours."""
    KNOWN.remember([_plain(secret)])
    return secret


def as_safe(value: object) -> SafeText:
    """A value of a body that a scrubber has read, as text; what is no text yet is scrubbed as one."""
    return value if isinstance(value, SafeText) else Scrubber().text(value)


def cut(text: str, shown: int, *, was_cut: bool = False) -> str:
    """At most `shown` characters, with a sign at the end where something is missing."""
    if len(text) <= shown and not was_cut:
        return text
    return text[: shown - len(CUT)].rstrip() + CUT


def is_plain(text: object, shown: int) -> bool:
    """Whether the last net would leave the text as it is: so it is with nearly all of a long list."""
    return (
        isinstance(text, str)
        and len(text) <= shown
        and KNOWN.is_empty
        and visible(text) is text
        and mask_numbers(text) is text
    )


def once_more(text: object, shown: int = 2000) -> SafeText:
    """The last net, for our own sentences: without the secrets of recent calls, phone numbers and control characters.

    Ids stay, because our own sentences name them. Never raises.
    """
    if is_plain(text, shown):
        return SafeText(text)
    try:
        line = KNOWN.without_secrets(visible(_first_part(str(text))))
        return SafeText(cut(mask_numbers(line, KNOWN.ids), shown))
    except Exception:  # noqa: BLE001 -- as above
        return SafeText(NOT_SHOWN)


def _first_part(text: str) -> str:
    """Where it is cut, the word that is cut with it: it may be the beginning of a secret."""
    if len(text) <= READ:
        return text
    return re.sub(r"\S{1,200}\Z", "", text[:READ])


def _raw(outside: object) -> Any:
    return outside._raw if isinstance(outside, OutsideText) else outside  # noqa: SLF001 -- its own module


def _plain(secret: "SecretStr | str | None") -> str:
    if secret is None:
        return ""
    return secret if isinstance(secret, str) else secret.get_secret_value()


# What our own bodies hold under these names; `code` only where it is one of digits, and not a language.
_SECRET_KEYS = frozenset(("pin", "password", "data", "input_token", "cert"))
_NUMBER_KEYS = frozenset(("to", "e164", "phone_number"))


def secrets_of(sent: Mapping[str, Any]) -> list[str]:
    """The secrets in a body that is sent, at any depth."""
    secrets: list[str] = []
    for key, value in sent.items():
        if isinstance(value, Mapping):
            secrets += secrets_of(value)
        elif isinstance(value, str) and (key in _SECRET_KEYS or (key == "code" and value[:1].isdigit())):
            secrets.append(value)
    return secrets


def numbers_of(sent: Mapping[str, Any]) -> list[str]:
    """The phone numbers in a body that is sent."""
    return [value for key, value in sent.items() if key in _NUMBER_KEYS and isinstance(value, str)]


def ids_of(text: str) -> list[str]:
    """Ids of Meta in a path or a body that is sent: they stay readable in what is answered."""
    return re.findall(rf"(?<![+\d])\d{{{ID_DIGITS},}}(?!\d)", text)
