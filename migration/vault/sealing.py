"""Encryption of secrets: each has its own data key, and the master key wraps every data key.

Both use AES-256-GCM of `cryptography`. The context (owner and name) and the version of the value are authenticated data
of both: a row that was copied to another number does not open, nor an earlier value under the version of a later one.
Deleting the wrapped data key destroys the secret.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from pydantic import SecretStr

from migration.errors import BadSetting

KEY_BYTES = 32
_NONCE_BYTES = 12
VERSION_BITS = 62  # fits a signed BIGINT


class WrongKey(BadSetting):
    """The secret was sealed under another master key, or its ciphertext was changed."""


class MissingKey(WrongKey):
    """The master key that opened other secrets is not given any more. It concerns every number, not one."""


@dataclass(frozen=True, slots=True)
class Sealed:
    ciphertext: bytes
    wrapped_key: bytes
    key_id: str
    version: int | None = None  # None: of a release before there were versions

    def authenticated(self, context: str) -> str:
        return _authenticated(context, self.version)


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The key that seals, and older keys that only open. `repr` does not show them."""

    current: SecretStr
    older: tuple[SecretStr, ...] = ()

    def by_id(self) -> Mapping[str, bytes]:
        return {key_id(key): _raw(key) for key in (self.current, *self.older)}


def new_master_key() -> SecretStr:
    """32 random bytes as URL-safe base64, from the operating system."""
    return SecretStr(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def key_id(key: SecretStr) -> str:
    """16 hexadecimal digits that name a key and do not reveal it."""
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
    """Seals and opens secrets with the master keys. Has no storage."""

    def __init__(
        self,
        keys: MasterKeys,
        read_again: Callable[[], MasterKeys] | None = None,
        state_of_source: Callable[[], object] = lambda: None,
    ) -> None:
        """`read_again`: where the keys come from; asked once a secret is met that was sealed under an unknown one.

        `state_of_source`: another value than before where they have changed, so that nothing is sealed under an older.
        """
        self._read_again = read_again
        self._state_of_source = state_of_source
        self._seen = state_of_source()
        self._opened_by: str | None = None  # the key that has opened a secret last
        self._take(keys)

    def _take(self, keys: MasterKeys) -> None:
        self._keys = keys.by_id()
        self.key_id = key_id(keys.current)

    def seal(self, secret: SecretStr, *, context: str) -> Sealed:
        """Under a version that no other value has."""
        if self._read_again is not None and (state := self._state_of_source()) != self._seen:
            self._take(self._read_again())
            self._seen = state
        version = secrets.randbits(VERSION_BITS)
        bound = _authenticated(context, version)
        data_key = AESGCM.generate_key(256)
        ciphertext = _encrypt(data_key, secret.get_secret_value().encode(), bound)
        return Sealed(ciphertext, self._wrap(data_key, bound), self.key_id, version)

    def open(self, sealed: Sealed, *, context: str) -> SecretStr:
        """Raises WrongKey."""
        data_key = self._unwrap(sealed, context)
        return SecretStr(_decrypt(data_key, sealed.ciphertext, sealed.authenticated(context)).decode())

    def rewrap(self, sealed: Sealed, *, context: str) -> Sealed:
        """The same ciphertext, with its data key wrapped by the current master key. Raises WrongKey."""
        data_key = self._unwrap(sealed, context)
        wrapped = self._wrap(data_key, sealed.authenticated(context))
        return Sealed(sealed.ciphertext, wrapped, self.key_id, sealed.version)

    def _wrap(self, data_key: bytes, context: str) -> bytes:
        return _encrypt(self._keys[self.key_id], data_key, context)

    def _unwrap(self, sealed: Sealed, context: str) -> bytes:
        master = self._keys.get(sealed.key_id)
        if master is None and self._read_again is not None:  # a rotation may have begun since they were read
            self._take(self._read_again())
            master = self._keys.get(sealed.key_id)
        if master is None:
            # Where the key that opens the others is still given, this one secret is odd, and not the key.
            kind = WrongKey if self._opened_by in self._keys else MissingKey
            raise kind(
                f"a secret was sealed under master key {sealed.key_id}, which is not the one given ({self.key_id}); "
                "see runbooks/key-lost.md"
            )
        data_key = _decrypt(master, sealed.wrapped_key, sealed.authenticated(context))
        self._opened_by = sealed.key_id
        return data_key


def _authenticated(context: str, version: int | None) -> str:
    return context if version is None else f"{context}/version {version}"


def _encrypt(key: bytes, plaintext: bytes, context: str) -> bytes:
    """The nonce, then the ciphertext with its tag."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context.encode())


def _decrypt(key: bytes, encrypted: bytes, context: str) -> bytes:
    try:
        return AESGCM(key).decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError) as exc:  # ValueError: cut shorter than a nonce
        raise WrongKey("a sealed secret does not open: wrong key, or it was changed") from exc
