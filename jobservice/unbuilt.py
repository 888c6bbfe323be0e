"""What the API knows and this version does not do yet: the one table of refused values.

A setting that would have no effect is refused with a sentence that names it. Lines leave this table
as the behaviour arrives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

REFUSED: tuple[tuple[str, frozenset[Any]], ...] = (
    ("filters.type", frozenset({"label", "resource"})),
    ("copy_by_chunk", frozenset({True})),
    ("credential.type", frozenset({"oauth", "secret"})),
    (
        "event_types",
        frozenset(
            {
                "QUOTA_EXCEED",
                "QUOTA_WARNING",
                "SCANNING_COMPLETED",
                "SCANNING_FAILED",
                "SCANNING_STOPPED",
            }
        ),
    ),
)

# Of a project nothing but `public` is built; these values ask for nothing and are let through.
NEUTRAL_PROJECT_VALUES: Mapping[str, frozenset[Any]] = {
    "metadata.enable_content_trust": frozenset({"", "false"}),
    "metadata.enable_content_trust_cosign": frozenset({"", "false"}),
    "metadata.prevent_vul": frozenset({"", "false"}),
    "metadata.severity": frozenset({""}),
    "metadata.auto_scan": frozenset({"", "false"}),
    "metadata.auto_sbom_generation": frozenset({"", "false"}),
    "metadata.reuse_sys_cve_allowlist": frozenset({"", "true"}),
    "metadata.proxy_speed_kb": frozenset({"", "-1"}),
    "metadata.max_upstream_conn": frozenset({"", "-1"}),
    "metadata.proxy_cache_local_on_not_found": frozenset({"", "false"}),
    "metadata.proxy_referrer_api": frozenset({"", "false"}),
    "metadata.proxy_cache_filter_pattern": frozenset({""}),
    "metadata.proxy_cache_filter_kind": frozenset({""}),
    "cve_allowlist.items": frozenset({0}),
    "storage_limit": frozenset({-1, 0}),
    "registry_id": frozenset({0}),
}

# What Harbor lets configure and is fixed here; a configuration that says the same changes nothing.
FIXED_CONFIGURATIONS: Mapping[str, Any] = {
    "auth_mode": "db_auth",
    "primary_auth_mode": False,
    "self_registration": False,
    "project_creation_restriction": "adminonly",
    "notification_enable": True,
    "quota_per_project_enable": False,
    "storage_per_project": -1,
    "audit_log_forward_endpoint": "",
    "skip_audit_log_database": False,
    "disabled_audit_log_event_types": "",
    "scanner_skip_update_pulltime": True,
    "banner_message": "",
}


def problems(setting: str, value: Any, *, shown_as: str = "") -> Iterator[str]:
    """Yield the sentence that refuses `value`, if this version does not do it."""
    for name, values in REFUSED:
        if name == setting and value in values:
            yield _sentence(shown_as or setting, value)


def project_problems(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything asked of a project that this version does not do."""
    for name, value in asked.items():
        if name in NEUTRAL_PROJECT_VALUES and value not in NEUTRAL_PROJECT_VALUES[name]:
            yield _sentence(name, value)


def configuration_problems(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything to be configured that this version does not do."""
    for name, value in asked.items():
        if value is not None and value != FIXED_CONFIGURATIONS.get(name):
            yield _sentence(name, value)


def _sentence(setting: str, value: Any) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{setting}: {shown} is not built in this version of Transship; leave it out"
