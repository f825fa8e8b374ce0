"""Every switch of the sandbox, with its type and its default: a behaviour that Meta does not document.

Generated from open_questions.toml, where each switch is explained: change it there, then run
`python -m sandbox.documentation`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Switches:
    # -- PIN and `register`
    pin_while_not_on_cloud: Literal["accepted", "onprem_keeps", "refused"] = "accepted"
    pin_refused_code: Literal[133010, 100] = 133010
    wrong_pin_code: Literal[133005, 131031] = 133005
    wrong_pin_drops_onprem: Literal["yes", "no"] = "yes"
    platform_after_wrong_pin: Literal["NOT_APPLICABLE", "ON_PREMISE"] = "NOT_APPLICABLE"
    restart_heals_wrong_pin: Literal["yes", "no"] = "no"
    pin_guesses: int = 5
    pin_lock_s: float = 43200
    pin_too_fast_s: float = 60
    refused_register_drops_onprem: Literal["yes", "no"] = "no"
    failed_registers_count: Literal["yes", "no"] = "yes"
    already_registered: Literal["success", 100] = "success"
    success_as: Literal["bool", "string"] = "bool"
    read_lag_s: float = 0
    register_seconds: float = 0
    dark_verified_registers: Literal["yes", "no"] = "yes"
    deregister_then_133015: bool = False
    deleted_number_reads: Literal[33, "DELETED"] = 33
    id_after_deletion: Literal["new", "same"] = "new"
    pin_after_deletion: Literal["gone", "kept"] = "gone"
    business_app_text: Literal["in_turn", "smb", "missing_permission"] = "in_turn"
    banned_register_code: Literal[368, 131031] = 368
    tos_code: Literal[100, 200, 133004] = 100
    signup_window_code: Literal[133006, 100] = 133006
    verify_after_signup_window: Literal["void", "renews"] = "void"
    # -- Backup and profile
    backup_after_sunset: Literal["accepted", "refused"] = "accepted"
    old_backup_accepted: Literal["yes", "no"] = "no"
    old_backup_hours: float = 24
    bad_backup_code: Literal[100, 133002] = 100
    backup_password_code: Literal["same", 100, 133002] = "same"
    foreign_backup_code: Literal["same", 100, 133002] = "same"
    old_backup_code: Literal["same", 100, 133002] = "same"
    bad_backup_drops_onprem: Literal["yes", "no"] = "no"
    profile_survives: Literal["yes", "no"] = "yes"
    # -- Codes
    code_while_on_premises: Literal["accepted", "refused"] = "accepted"
    codes_a_day: int = 10
    verify_wrong_code: Literal[136025, 100] = 136025
    code_tries: int = 5
    code_minutes: float = 10
    code_delay_s: float = 0
    sms_to_landline: Literal["lost", "refused"] = "lost"
    # -- On-Premises
    health_after_move: Literal["disconnected", "unregistered", "connection_refused"] = "disconnected"
    expired_client: Literal["serves_local", "coreapp_1014", "refuses_all"] = "serves_local"
    expired_call_code: Literal[1014, 1011] = 1014
    expired_backup: Literal["accepted", "refused"] = "refused"
    expired_restore: Literal["accepted", "refused"] = "accepted"
    status_when_stopped: Literal["DISCONNECTED", "CONNECTED"] = "DISCONNECTED"
    platform_when_expired: Literal["ON_PREMISE", "NOT_APPLICABLE"] = "ON_PREMISE"
    restore_registers: Literal["open_world", "always", "never", "even_from_cloud"] = "open_world"
    account_block_status: Literal[403, 401, 400] = 403
    account_block_body: Literal["errors", "bare"] = "errors"
    account_block_registered: Literal["blocked", "exists"] = "blocked"
    account_while_on_cloud: Literal["accepted", "refused"] = "accepted"
    account_on_cloud_code: Literal[1005, 1004] = 1005
    certificate_code: Literal[432, 430, 1009, 1005] = 432
    garbled_certificate_code: Literal[433, 430, 1009] = 433
    expired_certificate_code: Literal[1005, 1031, 430, 433] = 1005
    logged_off_code: Literal[1000, 1005, 432] = 1000
    shards_busy_code: Literal[1011, 1015] = 1011
    banned_client_code: Literal[1031, 1005] = 1031
    health_when_banned: Literal["disconnected", "unregistered"] = "disconnected"
    health_coreapp_down: Literal["1014", "disconnected"] = "1014"
    messages_while_disconnected: Literal["refused", "queued"] = "refused"
    message_refused_code: Literal[1011, 1014] = 1011
    restore_refused_code: Literal[1009, 1014] = 1009
    backup_not_running_code: Literal[1014, 1011] = 1014
    backup_failed_code: Literal[1014, 1000, 1023] = 1014
    not_connected_code: Literal[1014, 1011] = 1014
    onprem_verify_wrong_code: Literal[1009, 1005] = 1009
    no_code_asked_code: Literal[1000, 1005, 1009] = 1000
    onprem_pin_missing_code: Literal[1005, 1008, 1009] = 1005
    callbacks_after_move: Literal["lost", "delivered"] = "lost"
    non_admin_status: Literal[403, 401] = 403
    first_login_code: Literal[1024, 1005] = 1024
    old_login_tokens: Literal["live", "die"] = "live"
    logout_ends: Literal["this", "all", "none"] = "this"
    onprem_http_status: Literal["by_code", "all_400"] = "by_code"
    client_start_s: float = 0
    client_connect_s: float = 0
    overload_at: int = 100000
    meta_version: Literal["v", "plain"] = "plain"
    # -- Webhooks
    webhook_delay_s: float = 0
    webhook_jitter_s: float = 0
    webhook_batch_s: float = 0
    webhook_duplicates: float = 0
    webhook_retries: Literal["7d", "36h"] = "7d"
    webhook_first_gap_s: float = 5
    webhook_longest_gap_s: float = 21600
    webhook_patience_s: float = 10
    webhook_handshake: Literal["yes", "no"] = "yes"
    handshake_refused_code: Literal[2200, 100] = 2200
    consumers_read: Literal["yes", "no"] = "yes"
    # -- Cloud
    storage_set_by: Literal["both", "settings", "register"] = "both"
    storage_while_on_premises: Literal["accepted", "refused"] = "accepted"
    text_outside_window: Literal["async", "sync"] = "async"
    blocked_account: Literal["sync", "async"] = "sync"
    to_without_plus: Literal["as_it_is", "country_added"] = "as_it_is"
    health_unregistered: Literal[133010, "no_code"] = 133010
    message_limits: Literal["on", "off"] = "on"
    management_limits: Literal["on", "off"] = "on"
    management_limit_code: Literal[80008, 80007, 4] = 80008
    throttled_call_s: float = 60
    missing_scope_code: Literal[200, 10] = 200
    unknown_version: Literal["newest", "refused"] = "newest"
    numbers_sort: Literal["accepted", "ignored", "refused"] = "accepted"
    http_status: Literal["documented", "all_400"] = "documented"
    noise: Literal["off", "on"] = "off"
