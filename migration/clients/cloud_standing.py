"""What Graph's fields say together about where a number is registered: one table, and "cannot tell" for the rest.

`status` is not only about the connection: it holds words for quality and limits too, and a number with one of those is
registered and online. `platform_type` alone is not enough either: while a number moves, only one of the two fields
shows it. Values: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from enum import StrEnum

# About quality and limits: such a number is online if it is registered anywhere, which the platform says.
QUALITY = frozenset({"FLAGGED", "RESTRICTED", "RATE_LIMITED"})
# The number is registered and connected.
ONLINE = QUALITY | {"CONNECTED"}
# The number is known and not connected anywhere, or not yet.
OFFLINE = frozenset({"DISCONNECTED", "PENDING", "UNVERIFIED"})
# The number is not the account's any more; a person decides what becomes of it.
ENDED = frozenset({"BANNED", "DELETED", "MIGRATED"})
# Values of `code_verification_status`; Meta's OpenAPI file has the second for the first.
NOT_VERIFIED = frozenset({"NOT_VERIFIED", "UNVERIFIED"})


class CloudStanding(StrEnum):
    """Whether Graph shows a number registered on Cloud API."""

    ON_CLOUD = "on_cloud"  # registered there and online
    COMING_UP = "coming_up"  # its platform is Cloud, and it is not connected: just registered, or it lost its place
    NOT_ON_CLOUD = "not_on_cloud"
    CANNOT_TELL = "cannot_tell"


class ClientConnection(StrEnum):
    """Whether Graph shows the number's On-Premises client connected."""

    LIVE = "live"
    DOWN = "down"
    CANNOT_TELL = "cannot_tell"


def cloud_standing(platform: str, status: str, sends: bool, code_status: str | None) -> CloudStanding:
    """`sends`: the number itself can send, by its health. `code_status`: Graph's `code_verification_status`.

    A missing or unknown value, and two values that contradict each other, never prove that a number is not on Cloud.
    """
    if status in ENDED:
        return CloudStanding.NOT_ON_CLOUD
    match platform:
        case "CLOUD_API" if status in ONLINE:
            return CloudStanding.ON_CLOUD
        case "CLOUD_API" if status in OFFLINE:
            return CloudStanding.CANNOT_TELL if sends else CloudStanding.COMING_UP
        case "CLOUD_API":
            verified = code_status not in NOT_VERIFIED  # a number that has to be verified first is not registered
            return CloudStanding.ON_CLOUD if sends and verified else CloudStanding.CANNOT_TELL
        case "ON_PREMISE":
            return CloudStanding.NOT_ON_CLOUD
        case "NOT_APPLICABLE":  # registered nowhere, and connected: the two contradict each other
            contradicts = sends or status == "CONNECTED"
            return CloudStanding.CANNOT_TELL if contradicts else CloudStanding.NOT_ON_CLOUD
        case _:
            return CloudStanding.NOT_ON_CLOUD if status in OFFLINE and not sends else CloudStanding.CANNOT_TELL


def client_connection(platform: str, status: str) -> ClientConnection:
    """What Graph shows of the client. Never proof by itself: the client is read too, wherever it can be."""
    match platform:
        case "ON_PREMISE" if status in ONLINE:
            return ClientConnection.LIVE
        case "ON_PREMISE" if status in OFFLINE | ENDED:
            return ClientConnection.DOWN
        case "NOT_APPLICABLE" if status in OFFLINE | ENDED | QUALITY:
            return ClientConnection.DOWN
        case _:
            return ClientConnection.CANNOT_TELL
