"""Which certificate of a far side is accepted: one that this machine trusts, a pinned one, or one of an own CA."""

import hashlib
import hmac
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration.errors import BadSetting

_PIN = re.compile(r"sha256:[0-9a-f]{64}")
_GIVEN_PIN = re.compile(r"(?:sha-?256[:/= ]|sha256 fingerprint=)\s*((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pin:
    """The SHA-256 of one certificate, as `openssl x509 -fingerprint -sha256` shows it: 64 hexadecimal digits."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Authority:
    """Certificates that are issued by those in this file (PEM), for the name that is called."""

    file: Path


Trust = Pin | Authority


def pin_in_usual_form(given: str) -> str | None:
    """`sha256:` and 64 digits, of whatever `openssl` or a browser shows; None where it is no fingerprint."""
    match = _GIVEN_PIN.fullmatch(given.strip())
    return f"sha256:{match[1].replace(':', '').lower()}" if match else None


def pin_of(kept: str) -> Pin | None:
    """The pin that is kept in a row; None where a row names an authority of the admin file."""
    return Pin(kept.removeprefix("sha256:")) if _PIN.fullmatch(kept) else None


def tls_context(trust: Trust) -> ssl.SSLContext:
    """Raises BadSetting where the file of an authority holds no certificate."""
    if isinstance(trust, Authority):
        try:
            return ssl.create_default_context(cafile=str(trust.file))
        except OSError as exc:  # ssl.SSLError is one
            raise BadSetting(f"{trust.file} holds no certificate of an authority (PEM): {type(exc).__name__}") from exc
    context = unchecked_context()
    context.sslobject_class = _pinned_to(trust)
    return context


def unchecked_context() -> ssl.SSLContext:
    """A context that accepts every certificate.

    The client ships with a self-signed certificate: https://developers.facebook.com/docs/whatsapp/api/users/login
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _pinned_to(pin: Pin) -> type[ssl.SSLObject]:
    class PinnedObject(ssl.SSLObject):
        """Compares the certificate when the handshake is over, so before the first byte of ours is sent."""

        def do_handshake(self) -> None:
            super().do_handshake()
            shown = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
            if not hmac.compare_digest(shown, pin.sha256):
                raise ssl.SSLCertVerificationError("the certificate is not the pinned one")

    return PinnedObject


def wrong_certificate(exc: BaseException | None) -> bool:
    """Whether a connection failed because the far side's certificate is not accepted."""
    seen: set[Any] = set()
    while exc is not None and id(exc) not in seen:
        if isinstance(exc, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return True
        seen.add(id(exc))
        exc = exc.__cause__ or exc.__context__
    return False
