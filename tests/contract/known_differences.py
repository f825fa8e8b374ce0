"""Where what is sent and answered departs from Meta's OpenAPI file on purpose, and why.

The file is good for paths and request fields. Where it disagrees with Meta's pages or with answers seen in the
field, those win. `DOC` stands for https://developers.facebook.com/documentation/business-messaging/whatsapp.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.contract.spec import Issue


@dataclass(frozen=True, slots=True)
class Known:
    """Patterns as in file names, except that a list position is `[*]`; `why` says what is followed instead."""

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
PROFILE = (
    "about",
    "address",
    "description",
    "email",
    "messaging_product",
    "profile_picture_url",
    "vertical",
    "websites",
)

# What our own client sends otherwise than the file says.
REQUESTS: tuple[Known, ...] = (
    Known(
        "GET debug_token",
        ("path",),
        ("unknown",),
        "not a call of the business platform: https://developers.facebook.com/docs/graph-api/reference/debug_token",
    ),
    Known(
        "POST phone/settings",
        ("request.storage_configuration.*",),
        ("unknown", "required"),
        "the page of local storage has `status` and `data_localization_region`: DOC/local-storage",
    ),
    Known(
        "POST phone/messages",
        ("request.recipient_type", "request.template.language.policy"),
        ("required",),
        "optional on Meta's pages, `individual` and `deterministic` by default: DOC/messages/text-messages",
    ),
    Known(
        "POST phone/messages",
        ("request.biz_opaque_callback_data",),
        ("unknown",),
        "documented with message statuses: DOC/webhooks/reference/messages/status",
    ),
)

# What the sandbox answers otherwise than the file says.
ANSWERS: tuple[Known, ...] = (
    Known(
        "GET phone",
        tuple(f"answer.{name}" for name in PHONE_FIELDS),
        ("unknown",),
        "fields of the page of phone numbers, which the file leaves out: DOC/business-phone-numbers/phone-numbers",
    ),
    Known(
        "GET waba/phone_numbers",
        tuple(f"answer.data.[*].{name}" for name in PHONE_FIELDS),
        ("unknown",),
        "as for a single number",
    ),
    Known(
        "GET waba/phone_numbers",
        ("answer.data.[*].code_verification_status", "answer.data.[*].status"),
        ("enum",),
        "NOT_VERIFIED and CONNECTED are what Graph really answers: DOC/business-phone-numbers/phone-numbers",
    ),
    Known(
        "GET phone",
        ("answer.code_verification_status",),
        ("enum",),
        "NOT_VERIFIED is what Graph really answers: DOC/business-phone-numbers/phone-numbers",
    ),
    Known(
        "GET waba",
        tuple(f"answer.{name}" for name in WABA_FIELDS),
        ("unknown",),
        "fields of the node that the file leaves out: DOC/support/health-status and real answers",
    ),
    Known(
        "GET waba",
        ("answer.business_verification_status", "answer.ownership_type"),
        ("enum",),
        "real answers say `verified` and `SELF`",
    ),
    Known(
        "GET waba",
        ("answer.subscribed_apps",),
        ("type",),
        "an edge read as a field keeps its `data`: https://developers.facebook.com/docs/graph-api/guides/field-expansion",
    ),
    Known(
        "GET waba/subscribed_apps",
        ("answer.data.[*].whatsapp_business_api_data", "answer.data.[*].override_callback_uri"),
        ("unknown",),
        "nested on Meta's page, flat in the file: DOC/webhooks/override",
    ),
    Known(
        "GET waba/message_templates",
        ("answer.paging.next", "answer.paging.previous"),
        ("unknown",),
        "every edge pages alike: https://developers.facebook.com/docs/graph-api/results",
    ),
    Known(
        "GET waba/message_templates",
        ("request.query.limit",),
        ("unknown",),
        "as above; asked by this test, not by our client",
    ),
    Known(
        "GET waba/assigned_users",
        ("answer.data.[*].tasks",),
        ("unknown",),
        "named as a field in the file's own description of the edge",
    ),
    Known(
        "GET phone/settings",
        ("answer.calling.*", "answer.payload_encryption.*", "answer.storage_configuration.*"),
        ("required", "enum"),
        "the page shows upper-case values; calling is switched off and not simulated: DOC/local-storage",
    ),
    Known(
        "GET phone/settings",
        ("answer.id", "answer.user_identity_change"),
        ("unknown",),
        "DOC/business-phone-numbers/phone-numbers (identity change check)",
    ),
    Known(
        "POST phone/settings",
        ("request.user_identity_change.*",),
        ("unknown", "required"),
        "the page has `enable_identity_key_check`: DOC/business-phone-numbers/phone-numbers; asked by this test only",
    ),
    Known(
        "GET phone/whatsapp_business_profile",
        tuple(f"answer.data.[*].{name}" for name in PROFILE),
        ("unknown",),
        "flat on Meta's page, inside `business_profile` in the file: DOC/business-profiles",
    ),
    Known(
        "POST phone/messages",
        ("request.*",),
        ("unknown", "required"),
        "also the path of marking as read, which the file does not know: DOC/messages/mark-message-as-read",
    ),
    Known(
        "POST phone/messages",
        ("answer.success",),
        ("unknown",),
        "the answer to marking as read",
    ),
    Known(
        "* *",
        ("answer.error.error_data",),
        ("unknown",),
        "the file's errors are template text; `error_data` is in every sample of DOC/support/error-codes",
    ),
)
