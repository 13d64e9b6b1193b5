"""Sections that set the proxy itself: what to do here instead of each."""

from collections.abc import Iterable

from providers.litellm_import.findings import Part

_REDIS = "where Redis is, is a setting of the process: REDIS_URL for the books, REDIS_CACHE_URL for caches"
_RETRIES = "retries and the breaker go by rules of the gateway's own"
_TOLD = "nobody else is told of calls: each has its entry in the ledger, and the log its failures"
_LOGS = "what is logged is a setting of the process, and never has prompts, answers or keys"
_MEMBERS = "a member that a provider has no place for is refused by name, and none is dropped in silence"
_PEOPLE = "people and their rights are kept in the admin"
_GUARDS = "guardrails of LiteLLM's do not run here"
_TABLES = (
    "tenants, keys and models are kept in the database of the gateway: give tables with --keys and --teams"
)

_REASONS = {
    **dict.fromkeys(
        ("redis_host", "redis_port", "redis_password", "redis_url", "redis_db", "coordination_redis"), _REDIS
    ),
    **dict.fromkeys(
        (
            "num_retries",
            "max_retries",
            "retry_after",
            "retry_policy",
            "model_group_retry_policy",
            "allowed_fails",
            "allowed_fails_policy",
            "cooldown_time",
            "disable_cooldowns",
            "max_fallbacks",
        ),
        _RETRIES,
    ),
    **dict.fromkeys(
        (
            "callbacks",
            "success_callback",
            "failure_callback",
            "service_callbacks",
            "callback_settings",
            "audit_log_callbacks",
            "alerting",
            "alerting_args",
            "alert_types",
            "alerting_threshold",
            "alerting_config",
        ),
        _TOLD,
    ),
    **dict.fromkeys(
        (
            "set_verbose",
            "debug_level",
            "json_logs",
            "log_raw_request_response",
            "turn_off_message_logging",
            "redact_user_api_key_info",
            "disable_spend_logs",
            "store_prompts_in_spend_logs",
        ),
        _LOGS,
    ),
    **dict.fromkeys(("drop_params", "modify_params", "additional_drop_params"), _MEMBERS),
    **dict.fromkeys(
        (
            "default_internal_user_params",
            "max_internal_user_budget",
            "internal_user_budget_duration",
            "upperbound_key_generate_params",
            "default_team_settings",
            "default_team_params",
            "ui_access_mode",
            "allowed_ips",
            "enable_jwt_auth",
            "custom_auth",
        ),
        _PEOPLE,
    ),
    **dict.fromkeys(("guardrails", "prompt_injection_params", "post_call_rules"), _GUARDS),
    **dict.fromkeys(("store_model_in_db", "database_connection_pool_limit", "proxy_batch_write_at"), _TABLES),
    "database_url": "the gateway has a database of its own, which is a setting of the process: DATABASE_URL",
    "max_parallel_requests": "give limits to tenants and keys",
    "global_max_parallel_requests": "give limits to tenants and keys",
    "max_request_size_mb": "how large a request may be is a setting of the process",
    "environment_variables": "set what is still needed in the environment of the gateway",
    "completion_model": "callers choose the model; one for those that name none is `defaults` in our file",
    "routing_strategy_args": "strategies have no arguments here",
    "cache_params": "where a cache is kept is a setting of the process: REDIS_CACHE_URL",
    "pass_through_endpoints": "only the doors of docs/doors.md are there",
    "mcp_servers": "only the doors of docs/doors.md are there",
    "guardrail_list": _GUARDS,
}


def settings_leave(sections: Iterable[Part]) -> None:
    """Give each setting that was not taken the reason that is known for it."""
    for section in sections:
        for name, part in section.items():
            if name in _REASONS:
                _leave(part, _REASONS[name])


def _leave(part: Part, reason: str) -> None:
    """Leave what nobody took of it."""
    if not part.is_read:
        part.leave_wrong(reason)
        return
    for one in part.parts():
        _leave(one, reason)
