"""Where our requests and the sandbox's responses differ from Meta's OpenAPI file on purpose, and why.

The file is good for paths and request fields. Where it disagrees with Meta's pages or with responses observed
in production, those win. `DOC` stands for https://developers.facebook.com/documentation/business-messaging/whatsapp.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.contract.spec import Issue


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """`call` and `places` are `fnmatch` patterns; a list position is `[*]`. `why` names the source that is followed."""

    call: str
    places: tuple[str, ...]
    rules: tuple[str, ...]
    why: str

    def covers(self, issue: Issue) -> bool:
        return (
            fnmatchcase(issue.call, self.call)
            and any(fnmatchcase(issue.place, place) for place in self.places)
            and issue.rule in self.rules
        )


# fmt: off
PHONE_FIELDS = (
    "account_mode", "certificate", "country_code", "country_dial_code", "eligibility_for_api_business_global_search",
    "health_status", "host_platform",
    "is_official_business_account", "is_on_biz_app", "is_pin_enabled", "is_preverified_number", "last_onboarded_time",
    "messaging_limit_tier", "name_status", "new_display_name", "new_name_status", "platform_type", "quality_score",
    "search_visibility", "status", "throughput", "webhook_configuration", "whatsapp_business_manager_messaging_limit",
    "whatsapp_business_profile",
)
# fmt: on
WABA_FIELDS = (
    "disable_marketing_messages_on_cloud_api",
    "health_status",
    "message_template_namespace",
    "owner_business_info",
    "status",
)
TEMPLATE_FIELDS = ("cta_url_link_tracking_opted_out", "parameter_format", "quality_score", "rejected_reason")
PROFILE_FIELDS = (
    "about",
    "address",
    "description",
    "email",
    "messaging_product",
    "profile_picture_url",
    "vertical",
    "websites",
)

# Where the requests of our client differ from the file.
REQUESTS: tuple[KnownDifference, ...] = (
    KnownDifference(
        "GET debug_token",
        ("path",),
        ("unknown",),
        "not a call of the business platform: https://developers.facebook.com/docs/graph-api/reference/debug_token",
    ),
    KnownDifference(
        "GET waba/message_templates",
        tuple(f"request.query.{name}" for name in ("limit", "status", "summary")),
        ("unknown",),
        "https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates/",
    ),
    KnownDifference(
        "POST app/uploads",
        ("path",),
        ("unknown",),
        "not a call of the business platform: https://developers.facebook.com/docs/graph-api/guides/upload",
    ),
    KnownDifference("POST upload:*", ("path",), ("unknown",), "as above"),
    KnownDifference(
        "POST phone/settings",
        ("request.storage_configuration.*",),
        ("unknown", "required"),
        "the page of local storage has `status` and `data_localization_region`: DOC/local-storage",
    ),
    KnownDifference(
        "POST phone/messages",
        ("request.recipient_type", "request.template.language.policy"),
        ("required",),
        "optional on Meta's pages, `individual` and `deterministic` by default: DOC/messages/text-messages",
    ),
    KnownDifference(
        "POST phone/messages",
        ("request.biz_opaque_callback_data",),
        ("unknown",),
        "documented with message statuses: DOC/webhooks/reference/messages/status",
    ),
)

# Where the sandbox's responses differ from the file.
RESPONSES: tuple[KnownDifference, ...] = (
    KnownDifference(
        "GET phone",
        tuple(f"response.{name}" for name in PHONE_FIELDS),
        ("unknown",),
        "fields of the page of phone numbers, which the file leaves out: DOC/business-phone-numbers/phone-numbers",
    ),
    KnownDifference(
        "GET waba/phone_numbers",
        tuple(f"response.data.[*].{name}" for name in PHONE_FIELDS),
        ("unknown",),
        "as for a single number",
    ),
    KnownDifference(
        "GET waba/phone_numbers",
        ("response.data.[*].code_verification_status", "response.data.[*].status"),
        ("enum",),
        "NOT_VERIFIED and CONNECTED are what Graph returns in production: DOC/business-phone-numbers/phone-numbers",
    ),
    KnownDifference(
        "GET phone",
        ("response.code_verification_status",),
        ("enum",),
        "NOT_VERIFIED is what Graph returns in production: DOC/business-phone-numbers/phone-numbers",
    ),
    KnownDifference(
        "GET waba",
        tuple(f"response.{name}" for name in WABA_FIELDS),
        ("unknown",),
        "fields of the node that the file leaves out: DOC/support/health-status and responses in production",
    ),
    KnownDifference(
        "GET waba",
        ("response.business_verification_status", "response.ownership_type"),
        ("enum",),
        "responses in production have `verified` and `SELF`",
    ),
    KnownDifference(
        "GET waba",
        ("response.subscribed_apps",),
        ("type",),
        "an edge read as a field keeps its `data`: https://developers.facebook.com/docs/graph-api/guides/field-expansion",
    ),
    KnownDifference(
        "GET waba/subscribed_apps",
        ("response.data.[*].whatsapp_business_api_data", "response.data.[*].override_callback_uri"),
        ("unknown",),
        "nested on Meta's page, flat in the file: DOC/webhooks/override",
    ),
    KnownDifference(
        "GET waba/message_templates",
        ("response.paging.next", "response.paging.previous"),
        ("unknown",),
        "every edge pages alike: https://developers.facebook.com/docs/graph-api/results",
    ),
    KnownDifference(
        "GET waba/message_templates",
        ("request.query.limit",),
        ("unknown",),
        "as above; requested by this test only",
    ),
    KnownDifference(
        "GET waba/message_templates",
        tuple(f"response.data.[*].{name}" for name in TEMPLATE_FIELDS),
        ("unknown",),
        "fields of the page that the file leaves out: DOC/templates/overview",
    ),
    KnownDifference(
        "GET waba/message_templates",
        ("response.summary",),
        ("unknown",),
        "counts of the edge: https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates/",
    ),
    KnownDifference(
        "GET waba/message_templates",
        ("request.query.fields",),
        ("unknown",),
        "as above; asked for by this test only",
    ),
    KnownDifference(
        "GET template",
        (*(f"response.{name}" for name in (*TEMPLATE_FIELDS, "health_status")), "request.query.fields"),
        ("unknown",),
        "as on the edge; DOC/support/health-status",
    ),
    KnownDifference(
        "GET business/owned_whatsapp_business_accounts",
        ("response.data.[*].message_template_namespace",),
        ("unknown",),
        "a field of every WABA, also on its own node",
    ),
    KnownDifference(
        "GET waba/assigned_users",
        ("response.data.[*].tasks",),
        ("unknown",),
        "named as a field in the file's own description of the edge",
    ),
    KnownDifference(
        "GET phone/settings",
        ("response.calling.*", "response.payload_encryption.*", "response.storage_configuration.*"),
        ("enum",),
        "the page shows upper-case values; calling is switched off and not simulated: DOC/local-storage",
    ),
    KnownDifference(
        "GET phone/settings",
        ("response.id", "response.user_identity_change"),
        ("unknown",),
        "DOC/business-phone-numbers/phone-numbers (identity change check)",
    ),
    KnownDifference(
        "POST phone/settings",
        ("request.user_identity_change.*",),
        ("unknown", "required"),
        "the page has `enable_identity_key_check`: DOC/business-phone-numbers/phone-numbers; set by this test only",
    ),
    KnownDifference(
        "GET phone/whatsapp_business_profile",
        tuple(f"response.data.[*].{name}" for name in PROFILE_FIELDS),
        ("unknown",),
        "flat on Meta's page, inside `business_profile` in the file: DOC/business-profiles",
    ),
    KnownDifference(
        "GET phone/call_permissions",
        ("response.permission.status",),
        ("enum",),
        "the page has `no_permission`, `temporary` and `permanent`: DOC/calling/user-call-permissions",
    ),
    KnownDifference(
        "GET phone/username_suggestions", ("path",), ("unknown",), "newer than the file: DOC/business-scoped-user-ids"
    ),
    KnownDifference("GET waba/signups", ("path",), ("unknown",), "newer than the file: DOC/in-app-signup"),
    KnownDifference(
        "POST phone/messages",
        ("request.*",),
        ("unknown", "required"),
        "also the path of marking as read, which the file does not have: DOC/messages/mark-message-as-read",
    ),
    KnownDifference(
        "POST phone/messages",
        ("response.success",),
        ("unknown",),
        "the response to marking as read",
    ),
    KnownDifference(
        "* *",
        ("response.error.error_data",),
        ("unknown",),
        "the file's errors are template text; `error_data` is in every sample of DOC/support/error-codes",
    ),
)
