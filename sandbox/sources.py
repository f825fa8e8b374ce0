"""The pages that leave a question open, by the short key that open_questions.toml uses."""

from collections.abc import Mapping

_DOC = "https://developers.facebook.com/documentation/business-messaging/whatsapp"
_OLD = "https://developers.facebook.com/docs/whatsapp"
PAGES: Mapping[str, str] = {
    "2STEP": f"{_OLD}/on-premises/reference/settings/two-step-verification",
    "2FA": f"{_DOC}/business-phone-numbers/two-step-verification",
    "ACCOUNT": f"{_OLD}/on-premises/reference/account",
    "BACKUP": f"{_OLD}/on-premises/reference/settings/backup-and-restore",
    "BACKWARD": f"{_OLD}/cloud-api/guides/migrating-from-cloud-to-onprem",
    "CODE": "https://developers.facebook.com/docs/graph-api/reference/"
    "whats-app-business-account-to-number-current-status/request_code/",
    "ENDPOINT": f"{_DOC}/webhooks/create-webhook-endpoint",
    "ERR": f"{_DOC}/support/error-codes",
    "FIELD": "answers reported in public repositories",
    "HEALTH": f"{_OLD}/on-premises/reference/health",
    "HOOKS": f"{_DOC}/webhooks/overview",
    "LIMITS": f"{_DOC}/about-the-platform",
    "LOGIN": f"{_OLD}/api/users/login",
    "MIGR": f"{_OLD}/cloud-api/reference/account-migration",
    "MOVING": f"{_DOC}/support/migrating-from-onprem-to-cloud",
    "NAMES": f"{_DOC}/display-names",
    "OPERR": f"{_OLD}/api/errors",
    "OPENAPI": "https://github.com/facebook/openapi (business-messaging-api_v23.0.yaml)",
    "PARTNER": f"{_DOC}/solution-providers/get-started-for-solution-partners",
    "PHONES": f"{_DOC}/business-phone-numbers/phone-numbers",
    "REG": f"{_DOC}/business-phone-numbers/registration",
    "SHARDS": "https://developers.qodex.ai/whatsapp-business-platform/whatsapp-on-premises-api-deprecated/set-shards",
    "STATUS": f"{_DOC}/support/health-status",
    "STORAGE": f"{_DOC}/local-storage",
    "VERSIONS": "https://developers.facebook.com/docs/graph-api/guides/versioning",
    "none": "no page says anything about it",
}
