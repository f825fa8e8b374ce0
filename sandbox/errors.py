"""The errors of both APIs, as data. The texts are ours; error codes and statuses are theirs.

Graph: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
On-Premises: https://developers.facebook.com/docs/whatsapp/on-premises/errors
"""

from collections.abc import Mapping
from typing import Any

# error code -> (HTTP status, from an older copy of Meta's table that still had that column; title)
GRAPH: Mapping[int, tuple[int, str]] = {
    0: (401, "We were unable to authenticate the app user."),
    1: (400, "Invalid request or possible server error."),
    2: (503, "Service temporarily unavailable."),
    3: (500, "Capability or permissions issue."),
    4: (429, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "The business phone number has been deleted."),
    100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token."),
    200: (403, "Permissions error"),
    368: (403, "Temporarily blocked for policies violations"),
    2200: (400, "Callback verification failed"),
    2500: (400, "Unknown path components"),
    80007: (429, "Rate limit issues"),
    80008: (400, "There have been too many calls to this WhatsApp Business account."),
    130429: (429, "Rate limit hit"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131031: (403, "Account has been locked"),
    131042: (400, "Business eligibility payment issue"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131051: (400, "Unsupported message type"),
    131056: (429, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    132001: (404, "Template name does not exist in the translation"),
    133000: (500, "Incomplete deregistration"),
    133002: (400, "Backup blob decryption error"),
    133004: (503, "Server temporarily unavailable"),
    133005: (400, "Two step verification PIN mismatch"),
    133006: (400, "Phone number re-verification needed"),
    133008: (400, "Too many two step verification PIN guesses"),
    133009: (400, "Two step verification PIN guessed too fast"),
    133010: (400, "Account not registered"),
    133015: (400, "Please wait a few minutes before attempting to register this phone number"),
    133016: (400, "Account register deregister rate limit exceeded"),
    136024: (400, "Request code error"),
    136025: (400, "Verify code error"),
}

# Errors in responses and webhooks, with the titles of the page in our words. The HTTP statuses are guesses, with the
# switch `onprem_http_status`; only 401 for missing rights and 404 for missing objects are known.
ONPREM: Mapping[int, tuple[int, str]] = {
    400: (400, "Media download error"),
    402: (400, "Business eligibility: payment issue"),
    408: (400, "Message is not valid"),
    410: (400, "Message expired"),
    429: (429, "Rate limit hit"),
    430: (400, "Unsigned certificate"),
    432: (400, "Certificate ID mismatch"),
    433: (400, "Certificate signature invalid"),
    470: (400, "Message failed to send because more than 24 hours have passed"),
    471: (400, "Spam rate limit hit"),
    472: (400, "User's number is part of an experiment"),
    480: (400, "User potentially changed"),
    500: (500, "Generic error"),
    501: (400, "Message type is not supported"),
    1000: (500, "Generic error"),
    1001: (400, "Message too long"),
    1002: (400, "Invalid recipient type"),
    1004: (400, "Resource already exists"),
    1005: (401, "Access denied"),
    1006: (404, "Resource not found"),
    1007: (400, "Recipient blocked"),
    1008: (400, "Required parameter is missing"),
    1009: (400, "Parameter value is not valid"),
    1010: (400, "Parameter is not required"),
    1011: (503, "Service not ready"),
    1013: (400, "User is not valid"),
    1014: (500, "Internal error"),
    1015: (429, "Too many requests"),
    1016: (503, "System overloaded"),
    1017: (503, "Not Primary Master"),
    1018: (503, "Not Primary Coreapp"),
    1021: (400, "Bad user"),
    1022: (400, "Webhooks URL not configured"),
    1023: (500, "Database error"),
    1024: (400, "Password change required"),
    1025: (400, "Invalid request"),
    1026: (400, "Receiver incapable"),
    1028: (400, "Change of the user's identity needs to be acknowledged"),
    1031: (403, "Sender account locked"),
    2000: (400, "Template: number of parameters does not match"),
    2001: (400, "Template is missing"),
    2002: (400, "Template could not be fetched"),
    2003: (400, "Template pack is missing"),
    2004: (400, "Template: parameter too long"),
    2005: (400, "Template: text with its parameters too long"),
    2006: (400, "Template: white space policy"),
    2007: (400, "Template: format characters policy"),
    2008: (400, "Template: media format not supported"),
    2009: (400, "Template: a component is missing"),
    2010: (400, "Template: address of a button is not valid"),
    2011: (400, "Template: phone number of a button is not valid"),
    2012: (400, "Template: parameter of another format"),
    2013: (400, "Template: buttons are not supported by the receiver"),
    2014: (400, "Template: namespace is empty"),
    2015: (400, "Sections are not valid"),
    2016: (400, "Rows are not valid"),
    2017: (400, "Template: character policy"),
    2060: (400, "Template is rejected"),
    2061: (400, "Template is paused"),
    2062: (400, "Template is disabled"),
    2068: (400, "Flow is blocked"),
    2069: (400, "Flow is throttled"),
}


class Refusal(Exception):
    """A refusal of Graph."""

    def __init__(
        self,
        code: int,
        details: str | None = None,
        *,
        message: str | None = None,
        subcode: int | None = None,
        status: int | None = None,
        kind: str = "OAuthException",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details
        self.message = message or GRAPH.get(code, (400, "Unknown error"))[1]
        self.subcode = subcode
        self.status = status or GRAPH.get(code, (400, ""))[0]
        self.kind = kind
        self.extra = dict(extra or {})


class OnPremRefusal(Exception):
    """A refusal of an On-Premises client. `fixed`: a page, or a switch of its own, gives its HTTP status."""

    def __init__(self, code: int, details: str, status: int | None = None, *, fixed: bool = False) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details
        self.title = ONPREM[code][1]
        self.status = status or ONPREM[code][0]
        self.fixed = fixed or self.status in (401, 404)


class ControlError(Exception):
    """A control call that cannot be performed; `text` says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


class ConnectionRefused(Exception):
    """Nothing listens at this address: the host is gone, or the client is stopped."""


class NoResponse(Exception):
    """A firewall drops every packet; whether something listens cannot be seen."""


def unknown_object(object_id: str) -> Refusal:
    """An object that does not exist or is not visible; Graph does not say which."""
    return Refusal(
        100,
        message=f"Unsupported request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation",
        subcode=33,
        kind="GraphMethodException",
    )


COREAPP_DOWN = "Connection timed out. Please check if wacore is running"
