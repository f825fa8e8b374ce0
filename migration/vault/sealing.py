"""Sealing: each secret under a data key of its own, each data key wrapped by the master key.

AES-256-GCM from `cryptography` for both; the context (owner and name) is authenticated with each, so a row that was
moved to another number does not open. Destroying a secret is deleting its wrapped data key.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from pydantic import SecretStr

from migration.errors import BadSetting

KEY_BYTES = 32
_NONCE = 12


class WrongKey(BadSetting):
    """The master key is not the one that this was sealed under, or what was sealed has been changed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    ciphertext: bytes
    wrapped_key: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The key that seals, and older ones that only open. `repr` shows ids, never keys."""

    current: SecretStr
    older: tuple[SecretStr, ...] = ()

    def by_id(self) -> Mapping[str, bytes]:
        return {key_id(key): _raw(key) for key in (self.current, *self.older)}


def new_master_key() -> SecretStr:
    """32 random bytes as URL-safe base64, from the operating system."""
    return SecretStr(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def key_id(key: SecretStr) -> str:
    """A short name of a key that does not give it away."""
    digest = Hash(SHA256())
    digest.update(b"cutover master key" + _raw(key))
    return digest.finalize().hex()[:16]


def _raw(key: SecretStr) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key.get_secret_value().strip())
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise BadSetting(
            "the master key is not 32 bytes in base64; `cutover init` makes one, "
            "CUTOVER_MASTER_KEY or the key file holds it"
        )
    return raw


class Vault:
    def __init__(self, keys: MasterKeys) -> None:
        self._keys = keys.by_id()
        self.key_id = key_id(keys.current)

    def seal(self, secret: SecretStr, *, context: str) -> Sealed:
        data_key = AESGCM.generate_key(256)
        told = _encrypt(data_key, secret.get_secret_value().encode(), context)
        return Sealed(told, _encrypt(self._keys[self.key_id], data_key, context), self.key_id)

    def open(self, sealed: Sealed, *, context: str) -> SecretStr:
        """Raises WrongKey."""
        data_key = self._unwrap(sealed, context)
        return SecretStr(_decrypt(data_key, sealed.ciphertext, context).decode())

    def rewrap(self, sealed: Sealed, *, context: str) -> Sealed:
        """The same ciphertext with its data key under the current master key."""
        data_key = self._unwrap(sealed, context)
        return Sealed(sealed.ciphertext, _encrypt(self._keys[self.key_id], data_key, context), self.key_id)

    def _unwrap(self, sealed: Sealed, context: str) -> bytes:
        master = self._keys.get(sealed.key_id)
        if master is None:
            raise WrongKey(
                f"a secret was sealed under master key {sealed.key_id}, which is not the one given ({self.key_id}); "
                "see runbooks/key-lost.md"
            )
        return _decrypt(master, sealed.wrapped_key, context)


def _encrypt(key: bytes, plain: bytes, context: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def _decrypt(key: bytes, told: bytes, context: str) -> bytes:
    try:
        return AESGCM(key).decrypt(told[:_NONCE], told[_NONCE:], context.encode())
    except (InvalidTag, ValueError) as exc:  # ValueError: cut shorter than a nonce
        raise WrongKey("a sealed secret does not open: wrong key, or it was changed") from exc


class BackupShelf:
    """The second place of a backup: sealed files in a folder of their own, owner-only, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, place: str, sealed: Sealed) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [sealed.key_id, *(base64.b64encode(part).decode() for part in (sealed.wrapped_key, sealed.ciphertext))]
        write_private(self._path(place), "\n".join(lines))

    def get(self, place: str) -> Sealed:
        """Raises WrongKey for a file that is not as it was written."""
        try:
            key, wrapped, told = self._path(place).read_text().split("\n")
            return Sealed(base64.b64decode(told), base64.b64decode(wrapped), key)
        except ValueError as exc:
            raise WrongKey(f"{self._path(place)} is damaged; what is sealed in it does not open") from exc

    def places(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in self._folder.glob("*.sealed")))

    def delete(self, place: str) -> None:
        self._path(place).unlink(missing_ok=True)

    def _path(self, place: str) -> Path:
        return self._folder / f"{place}.sealed"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read: beside it first, to the disk, then into place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
