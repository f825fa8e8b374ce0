"""What the partner does for its webhooks: it names an address as the callback of its app. Nothing else of ours does."""

from collections.abc import Mapping
from typing import Any

import httpx

FIELDS = (
    "messages,account_update,account_review_update,account_alerts,business_capability_update,"
    "phone_number_quality_update,phone_number_name_update,security"
)
TIMEOUT_S = 20


async def name_callback(manifest: Mapping[str, Any], url: str) -> None:
    """https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/: with a token of the app itself."""
    app_id = manifest["app_id"]
    named = {
        "object": "whatsapp_business_account",
        "callback_url": url,
        "verify_token": manifest["verify_token"],
        "fields": FIELDS,
        "access_token": f"{app_id}|{manifest['app_secret']}",
    }
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
        response = await http.post(f"{manifest['graph_url']}/v25.0/{app_id}/subscriptions", data=named)
        response.raise_for_status()
