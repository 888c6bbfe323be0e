"""A message of Slack's blocks; https://docs.slack.dev/reference/block-kit/blocks/ has limits."""

from __future__ import annotations

from typing import Any, Final

from jobservice.domain.hook_payloads.event import Event

HEADER_LIMIT: Final = 150
FIELD_LIMIT: Final = 2000
FIELDS_LIMIT: Final = 10


def payload(event: Event) -> dict[str, Any]:
    """Return the message; no text in it mentions anybody or becomes a link."""
    fields = [
        {"type": "mrkdwn", "text": _cut(f"*{_escaped(name)}*\n{_escaped(text)}", FIELD_LIMIT)}
        for name, text in list(event.facts.items())[:FIELDS_LIMIT]
    ]
    mark = ":white_check_mark:" if event.is_good else ":x:"
    # A header is plain text, which Slack does not read any markup in.
    header = {"type": "plain_text", "text": _cut(event.title, HEADER_LIMIT), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks += [{"type": "section", "fields": fields}] if fields else []
    moment = f"<!date^{int(event.occurred_at.timestamp())}^{{date_num}} {{time_secs}}|UTC>"
    context = f"{mark} {moment} · {_escaped(event.subject.type)}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]})
    return {"text": _cut(_escaped(event.title), FIELD_LIMIT), "blocks": blocks}


def _escaped(text: str) -> str:
    """Slack wants these three as entities, and no others."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
