"""Answers and webhooks as different edges and ages of Graph word them: more keys, other languages, parts missing.

Field reports, and https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from collections.abc import Mapping, Sequence
from typing import Any

# The title of an error, where the token's owner reads another language; the code stays in front.
MESSAGES: Sequence[str] = (
    "Não foi possível concluir a solicitação.",
    "No se pudo completar la solicitud.",
    "Die Anfrage konnte nicht abgeschlossen werden.",
    "リクエストを完了できませんでした。",
)


def error(plain: Mapping[str, Any], turn: int) -> dict[str, Any]:
    """The same refusal as it comes this time."""
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


def success(told: Any, turn: int) -> Any:
    """The same answer with keys that no page names."""
    if not isinstance(told, dict):
        return told
    return told | ({"__debug__": {"messages": []}} if turn % 2 else {"request_context": {"tier": None, "hops": [turn]}})


def webhook(envelope: dict[str, Any]) -> dict[str, Any]:
    """Keys that came in 2026 or that nobody has named yet, at every level: unknown ones are to be ignored."""
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
    """What else a consumer may be called: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids"""
    return {**row, "parent_user_id": None, "username": None, "labels": []}
