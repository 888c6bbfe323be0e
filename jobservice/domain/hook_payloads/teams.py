"""An adaptive card as the incoming webhooks of Microsoft Teams take it.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

import re
from typing import Any, Final

from jobservice.domain.hook_payloads.event import Event

CARD_TYPE: Final = "application/vnd.microsoft.card.adaptive"
TEXT_LIMIT: Final = 2000
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#~|])")


def payload(event: Event) -> dict[str, Any]:
    """Return the message; nothing in it is taken for the card's Markdown."""
    facts = [
        {"title": _plain(name), "value": _plain(text)[:TEXT_LIMIT]}
        for name, text in event.facts.items()
    ]
    title = {
        "type": "TextBlock",
        "text": _plain(event.title)[:TEXT_LIMIT],
        "weight": "Bolder",
        "size": "Medium",
        "color": "Good" if event.is_good else "Attention",
        "wrap": True,
    }
    body: list[dict[str, Any]] = [title]
    body += [{"type": "FactSet", "facts": facts}] if facts else []
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
