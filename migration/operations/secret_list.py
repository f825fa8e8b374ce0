"""Which secrets can still be opened, and until when: for `cutover secrets`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from state.ledger.pins import NEXT
from state.ledger.shredding import BACKUP, CODE, INTENT, PICTURE, KeepFor
from state.queries.secrets import OpenableSecret


@dataclass(frozen=True, slots=True)
class SecretGroup:
    """Secrets of one kind that wait for the same. `until`: when the last of them is destroyed, where a time is set."""

    kind: str
    count: int
    ends: str  # what destroys them
    until: datetime | None
    refs: tuple[str, ...]


def group_secrets(secrets: Iterable[OpenableSecret], keep: KeepFor) -> Sequence[SecretGroup]:
    """In the order: those of numbers, then those of calls, then credentials."""
    found: dict[tuple[str, str], list[tuple[OpenableSecret, datetime | None]]] = {}
    for secret in secrets:
        kind, ends, until = _fate(secret, keep)
        found.setdefault((kind, ends), []).append((secret, until))
    return [_group(kind, ends, members) for (kind, ends), members in sorted(found.items())]


def _group(kind: str, ends: str, members: Sequence[tuple[OpenableSecret, datetime | None]]) -> SecretGroup:
    untils = [until for _, until in members if until is not None]
    refs = sorted({secret.ref for secret, _ in members if secret.ref is not None})
    return SecretGroup(kind, len(members), ends, max(untils, default=None), tuple(refs))


def _fate(secret: OpenableSecret, keep: KeepFor) -> tuple[str, str, datetime | None]:
    """Its kind, what ends it, and when that is at the latest, where a time is known."""
    if secret.name == INTENT:
        return "call under way", "destroyed with the answer to the call, or once a repeat holds it", None
    if secret.name == CODE:
        ends = "destroyed once it was verified, refused or replaced, at the latest then"
        return "verification code", ends, secret.made_at + keep.codes
    if secret.superseded_at is not None:
        until = secret.superseded_at + keep.superseded
        return f"earlier {_kind(secret)}", "destroyed once the one in its place was proved, at the latest then", until
    if secret.name not in (BACKUP, PICTURE):
        return _kind(secret), _stays(secret), None
    if secret.live or secret.ended_at is None:
        days = f"{keep.backups.days} days after the number's migration has ended"
        return _kind(secret), f"kept until {days}", None
    return _kind(secret), "kept until then, for the way back", max(secret.ended_at, secret.made_at) + keep.backups


def _kind(secret: OpenableSecret) -> str:
    kind, _, _ = secret.owner.partition(":")
    match kind:
        case "number":
            return {"pin": "PIN", NEXT: "PIN that is being set", PICTURE: "profile picture"}.get(
                secret.name, secret.name
            )
        case "profile":
            return f"{secret.name.replace('_', ' ')} of a credential profile"
        case "instance":
            return f"{secret.name} of an instance"
        case _:
            return secret.name.replace("_", " ")


def _stays(secret: OpenableSecret) -> str:
    kind, _, _ = secret.owner.partition(":")
    match kind:
        case "number":
            return "the one in force: kept until another one replaces it"
        case "home":
            return "kept as long as the record"
        case _:
            return "a credential: kept until another one replaces it"


def files_without_row(files: Collection[str], kept: Collection[str]) -> Sequence[str]:
    """Files of the shelf that belong to no backup in the database which can be opened."""
    return sorted({*files} - {*kept})
