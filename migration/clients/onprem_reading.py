"""What one reading of an On-Premises instance shows, and when a missing response means that nothing listens there."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import httpx

# httpcore's message for a connection that was closed before the first byte of a response; its type says only that the
# server broke the protocol. https://github.com/encode/httpcore/blob/1.0.9/httpcore/_async/http11.py
CLOSED_WITHOUT_RESPONSE = "without sending a response"


MOST_CAUSES = 50  # of one error that are looked at


class Reading(StrEnum):
    SERVING = "serving"
    NOT_SERVING = "not_serving"  # the client itself reports that it is not connected or not registered
    REFUSED = "refused"  # nothing listens at the address
    UNREACHABLE = "unreachable"  # anything else; proves nothing


@dataclass(frozen=True, slots=True)
class OnPremReading:
    kind: Reading
    detail: str
    expires_at: datetime | None = None
    expiry_readable: bool = True  # False: the client names a time that cannot be read
    of_another: bool = False  # the client is registered for another number, and says nothing about this one
    names_a_number: bool = True  # False: it does not say for which number it is, or was, registered


def _closed_in_handshake(error: BaseException) -> bool:
    """Behind TLS the same closed connection shows itself before a request can be sent."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLEOFError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def connection_refused(error: BaseException | None) -> bool:
    """Whether the chain of causes has a refused connection, or one that was closed before the first byte.

    A stopped container whose port is still published does the latter. A connection that breaks within a response does
    not count: something answered.
    """
    seen = 0
    while error is not None and (seen := seen + 1) <= MOST_CAUSES:
        if isinstance(error, ConnectionRefusedError):
            return True
        if isinstance(error, httpx.RemoteProtocolError) and CLOSED_WITHOUT_RESPONSE in str(error):
            return True
        if isinstance(error, httpx.ConnectError) and _closed_in_handshake(error):
            return True
        if isinstance(error, BaseExceptionGroup) and any(connection_refused(each) for each in error.exceptions):
            return True
        error = error.__cause__ or error.__context__
    return False
