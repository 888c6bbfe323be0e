"""Secrets in text, and text without them."""

from __future__ import annotations

import re

REDACTED = "***"
TEXT_LIMIT = 16 * 1024
_SECRETS_IN_TEXT = (
    # user:password@ or token@ in a URL
    (re.compile(r"(?<=://)[^/\s\"']*(?=@)"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/._~=-]{8,}"), rf"\1 {REDACTED}"),
    # a header as it was sent
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*).*"),
        rf"\1\2{REDACTED}",
    ),
    # what token endpoints and configuration files hold, as JSON
    (
        re.compile(r"(?i)(\"[\w-]*(?:token|secret|password|auth)\"\s*:\s*\")[^\"]*"),
        rf"\1{REDACTED}",
    ),
    # signed storage URLs and token endpoints
    (
        re.compile(
            r"(?i)([?&](?:[\w-]*(?:token|signature|secret|password|credential)|sig)=)[^&\s\"']+"
        ),
        rf"\1{REDACTED}",
    ),
    # a setting in a sentence
    (re.compile(r"(?i)\b([\w-]*(?:token|secret|password|passwd)=)[^\s&\"',;]+"), rf"\1{REDACTED}"),
)

# Each pattern above needs one of these: the names and words that logs are full of are let through.
_MARK = re.compile(r"[:=\s]")


def redact_text(text: str) -> str:
    """Return `text` without passwords in URLs, headers, bearer tokens and signatures.

    Of a text that is longer than anybody reads only the beginning is looked at, and comes back.
    """
    if _MARK.search(text) is None:
        return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}… (cut)"
    if len(text) > TEXT_LIMIT:
        # Between words: half a secret looks like none.
        begun = max(text.rfind(" ", TEXT_LIMIT // 2, TEXT_LIMIT), TEXT_LIMIT // 2)
        text = f"{text[:begun]}… (cut)"
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text
