"""What odd answers are made of: a good answer, and odd figures, headers and encodings."""

from typing import Any

# As they stand in a body.
FIGURES = (
    *("1e999", "-1e999", "NaN", "Infinity", "-Infinity", "0.5", "-1", "0", "true", "null", "[]", "{}", '""', '"٣"'),
    *('"soon"', '"0.0"', '"NaN"', '"1e999"', "253402300800", "1767225600000", "-62135596801", '"9999-12-31T23:59:59Z"'),
    *(
        '"10000-01-01"',
        "[1]",
        '{"a": 1}',
        '"\\ud800"',
        '"\\u0000"',
        '"\\u202e+34657786453"',
        "9" * 5000,
        '"' + "9" * 5000 + '"',
    ),
)
ENCODINGS = ("utf-8", "utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7")
HEADERS = (
    (
        "retry-after",
        ("1e999", "-5", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "٣", "soon", "0.5", "\x00", "99999999"),
    ),
    (
        "x-business-use-case-usage",
        ("{", "[" * 5000, '{"1": [{"estimated_time_to_regain_access": 1e999}]}', "null", "7" * 9000),
    ),
    ("content-type", ("text/html", "application/json; charset=utf-7", "x" * 5000)),
    ("content-length", ("-1", "9" * 500, "x")),
    ("location", ("https://[::", "//:99999", "javascript:x")),
    ("set-cookie", ("a=b; expires=x", "=" * 3000)),
)
STATUSES = (
    200,
    200,
    200,
    200,
    200,
    201,
    202,
    204,
    206,
    301,
    400,
    401,
    403,
    404,
    409,
    413,
    429,
    500,
    502,
    503,
    504,
    999,
)
ERROR_CODES = (
    0,
    1,
    2,
    4,
    33,
    100,
    102,
    190,
    613,
    1005,
    1011,
    1015,
    1024,
    80007,
    130429,
    131016,
    133000,
    133016,
    136025,
)
# A good answer to whatever was asked: every field that a client of ours reads.
GOOD: dict[str, Any] = {
    "id": "106540352242922",
    "display_phone_number": "+1 555-010-4321",
    "status": "CONNECTED",
    "platform_type": "ON_PREMISE",
    "code_verification_status": "VERIFIED",
    "is_on_biz_app": False,
    "last_onboarded_time": 1756713600,
    "certificate": "CERT",
    "success": True,
    "data": [{"id": "1", "app_id": "1", "is_valid": True, "expires_at": 0, "scopes": ["a"], "about": "Hello"}],
    "paging": {"cursors": {"after": "A"}},
    "health_status": {"entities": [{"entity_type": "PHONE_NUMBER", "can_send_message": "AVAILABLE"}]},
    "storage_configuration": {"status": "DEFAULT"},
    "messages": [{"id": "wamid.1"}],
    "users": [{"token": "t", "expires_after": "2026-01-01 00:00:00+00:00"}],
    "health": {"gateway_status": "connected"},
    "support": {"expire_timestamp": 1767225600},
    "stats": {"app": {"callback_queue_size": {"data": [{"value": 0}]}}},
    "settings": {"data": "QmFja3Vw", "profile": {"about": {"text": "Hi"}}, "business": {"profile": {"websites": []}}},
    "ask": "https://senders.test/ask",
    "reason": "black friday",
}
