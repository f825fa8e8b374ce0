"""Variants of responses and webhooks that were seen in the field: more keys, other languages, missing parts.

Field reports, and https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from collections.abc import Mapping, Sequence
from typing import Any

# The title of an error in the language of the token's owner; the error code stays in front.
MESSAGES: Sequence[str] = (
    "Não foi possível concluir a solicitação.",
    "No se pudo completar la solicitud.",
    "Die Anfrage konnte nicht abgeschlossen werden.",
    "リクエストを完了できませんでした。",
)


def vary_error(plain: Mapping[str, Any], turn: int) -> dict[str, Any]:
    """One of the variants of an error; `turn` chooses it."""
    match turn % 5:
        case 0:
            return {name: value for name, value in plain.items() if name != "fbtrace_id"}
        case 1 if isinstance(plain.get("error_data"), dict):
            return {**plain, "error_data": plain["error_data"]["details"]}
        case 2:
            text = MESSAGES[turn // 5 % len(MESSAGES)]
            return {**plain, "error_user_title": text, "error_user_msg": text}
        case 3:
            return {**plain, "message": f"(#{plain['code']}) {MESSAGES[turn // 5 % len(MESSAGES)]}"}
        case _:
            return {**plain, "is_transient": False, "error_origin": "sandbox", "support": {"case": None}}


def vary_success(body: Any, turn: int) -> Any:
    """The same body with keys that no page names."""
    if not isinstance(body, dict):
        return body
    return body | ({"__debug__": {"messages": []}} if turn % 2 else {"request_context": {"tier": None, "hops": [turn]}})


def vary_webhook(envelope: dict[str, Any]) -> dict[str, Any]:
    """The same webhook with keys of 2026, and keys that no page names, at every level: receivers must ignore them."""
    entries = [
        {**entry, "origin": {"region": None}, "changes": [_change(change) for change in entry["changes"]]}
        for entry in envelope.get("entry", [])
    ]
    return {**envelope, "api_version": "v99.0", **({"entry": entries} if entries else {})}


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    value = {
        name: [_row(row) for row in rows] if name in ("messages", "statuses", "contacts") else rows
        for name, rows in change["value"].items()
    }
    return {**change, "value": value | {"message_echoes": [], "hints": {"locale": None}}, "change_id": None}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Other names of a consumer: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids"""
    return {**row, "parent_user_id": None, "username": None, "labels": []}
