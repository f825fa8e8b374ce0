"""The words for an industry in a business profile: On-Premises and Cloud API have a list of their own each.

On-Premises: https://developers.facebook.com/docs/whatsapp/api/settings/business-profile
Cloud API: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/business-profiles
"""

import re
from collections.abc import Mapping

# Cloud API takes only these as `vertical`.
CLOUD_WORDS = frozenset(
    [
        "ALCOHOL",
        "APPAREL",
        "AUTO",
        "BEAUTY",
        "EDU",
        "ENTERTAIN",
        "EVENT_PLAN",
        "FINANCE",
        "GOVT",
        "GROCERY",
        "HEALTH",
        "HOTEL",
        "NONPROFIT",
        "ONLINE_GAMBLING",
        "OTC_DRUGS",
        "OTHER",
        "PHYSICAL_GAMBLING",
        "PROF_SERVICES",
        "RESTAURANT",
        "RETAIL",
        "TRAVEL",
    ]
)
# All 17 words of On-Premises.
ONPREM_WORDS: Mapping[str, str] = {
    "Automotive": "AUTO",
    "Beauty, Spa and Salon": "BEAUTY",
    "Clothing and Apparel": "APPAREL",
    "Education": "EDU",
    "Entertainment": "ENTERTAIN",
    "Event Planning and Service": "EVENT_PLAN",
    "Finance and Banking": "FINANCE",
    "Food and Grocery": "GROCERY",
    "Public Service": "GOVT",
    "Hotel and Lodging": "HOTEL",
    "Medical and Health": "HEALTH",
    "Non-profit": "NONPROFIT",
    "Professional Services": "PROF_SERVICES",
    "Shopping and Retail": "RETAIL",
    "Travel and Transportation": "TRAVEL",
    "Restaurant": "RESTAURANT",
    "Other": "OTHER",
}


def cloud_industry(onprem_word: str) -> str | None:
    """Cloud's word for an industry of On-Premises, in any case and spacing; None for a word that neither list has."""
    upper = re.sub(r"[\s-]+", "_", onprem_word.strip()).upper()
    return upper if upper in CLOUD_WORDS else _BY_PLAIN_WORD.get(_plain(onprem_word))


def _plain(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.casefold().replace("&", "and"))


_BY_PLAIN_WORD = {_plain(word): cloud for word, cloud in ONPREM_WORDS.items()}
