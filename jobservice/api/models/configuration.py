"""Configurations in Harbor's shape (its tag `configure`): a value and whether it can be changed."""

from __future__ import annotations

from typing import Any, Final

from pydantic import create_model

from jobservice.api.models.base import HarborModel


class StringConfigItem(HarborModel):
    """A text."""

    value: str
    editable: bool


class BoolConfigItem(HarborModel):
    """Yes or no."""

    value: bool
    editable: bool


class IntegerConfigItem(HarborModel):
    """A number."""

    value: int
    editable: bool


_TEXTS: Final = [
    "auth_mode",
    "ldap_base_dn",
    "ldap_filter",
    "ldap_group_base_dn",
    "ldap_group_admin_dn",
    "ldap_group_attribute_name",
    "ldap_group_search_filter",
    "ldap_search_dn",
    "ldap_uid",
    "ldap_url",
    "ldap_group_membership_attribute",
    "project_creation_restriction",
    "uaa_client_id",
    "uaa_client_secret",
    "uaa_endpoint",
    "http_authproxy_endpoint",
    "http_authproxy_tokenreview_endpoint",
    "http_authproxy_admin_groups",
    "http_authproxy_admin_usernames",
    "http_authproxy_server_certificate",
    "oidc_name",
    "oidc_endpoint",
    "oidc_client_id",
    "oidc_groups_claim",
    "oidc_admin_group",
    "oidc_group_filter",
    "oidc_scope",
    "oidc_user_claim",
    "oidc_extra_redirect_parms",
    "robot_name_prefix",
    "audit_log_forward_endpoint",
    "banner_message",
    "disabled_audit_log_event_types",
]
_FLAGS: Final = [
    "primary_auth_mode",
    "ldap_group_attach_parallel",
    "ldap_verify_cert",
    "read_only",
    "self_registration",
    "uaa_verify_cert",
    "http_authproxy_verify_cert",
    "http_authproxy_skip_search",
    "oidc_verify_cert",
    "oidc_auto_onboard",
    "oidc_logout",
    "notification_enable",
    "quota_per_project_enable",
    "skip_audit_log_database",
    "scanner_skip_update_pulltime",
]
_NUMBERS: Final = [
    "ldap_group_search_scope",
    "ldap_scope",
    "ldap_timeout",
    "token_expiration",
    "robot_token_duration",
    "storage_per_project",
    "session_timeout",
]
# Written, never shown.
_SECRETS: Final = ("ldap_search_password", "oidc_client_secret")


def _fields(*kinds: tuple[list[str], Any]) -> dict[str, Any]:
    return {name: (kind | None, None) for names, kind in kinds for name in names}


CONFIGURATIONS: Final[type[HarborModel]] = create_model(
    "Configurations",
    __base__=HarborModel,
    **_fields((_TEXTS, str), (_FLAGS, bool), (_NUMBERS, int), (list(_SECRETS), str)),
)
CONFIGURATIONS.__doc__ = "What PUT /configurations may change; whatever is absent stays."
SHOWN: Final[type[HarborModel]] = create_model(
    "ConfigurationsResponse",
    __base__=HarborModel,
    **_fields(
        (_TEXTS, StringConfigItem),
        (_FLAGS, BoolConfigItem),
        (_NUMBERS, IntegerConfigItem),
        (["scan_all_policy"], dict[str, Any]),
    ),
)
SHOWN.__doc__ = "What GET /configurations shows; what is not built is absent."
