"""Server-sent events as a client reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobservice.cli.api_client import ApiClient, ServerError
from protocol.errors import ProtocolError

LAST_EVENT_ID: Final = "Last-Event-ID"
ENDED: Final = "end"
# As the server's `retry:` says.
RECONNECT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `id` is where to go on from, empty where it says nothing about that."""

    name: str
    data: Any
    id: str = ""

    @property
    def is_last(self) -> bool:
        """Whether what is followed has ended, and not only the connection."""
        return self.name == ENDED and "status" in self.data


class Parser:
    """Turns bytes, however they are cut, into events."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that end within what came."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            if text:
                name, _, value = text.partition(":")
                self._fields[name] = value.removeprefix(" ")
            elif fields := self._taken():
                yield Event(
                    name=fields.get("event", "message"),
                    data=json.loads(fields["data"]),
                    id=fields.get("id", ""),
                )

    def _taken(self) -> Mapping[str, str] | None:
        fields, self._fields = self._fields, {}
        return fields if "data" in fields else None


async def events(
    client: ApiClient, path: str, *, since: str = "", **query: object
) -> AsyncIterator[Event]:
    """Yield what the server tells, until it says that it ends; raise ServerError, ProtocolError."""
    headers = {"Accept": "text/event-stream", **({LAST_EVENT_ID: since} if since else {})}
    parser = Parser()
    async with client.opened(path, query=query, headers=headers) as answer:
        async for chunk in answer.chunks():
            for event in parser.feed(chunk):
                yield event
                if event.name == ENDED:
                    return


async def followed(client: ApiClient, path: str, **query: object) -> AsyncIterator[Event]:
    """Yield what the server tells until what is followed has ended, or for ever.

    Where only the connection ended it comes back to where it was, while the server can be reached.
    """
    since = ""
    while True:
        told = False
        try:
            async for event in events(client, path, since=since, **query):
                if event.is_last:
                    return
                told = True
                since = event.id or since
                if event.name != ENDED:
                    yield event
        except (ProtocolError, ServerError) as error:
            if not told or _is_refusal(error):
                raise
        await asyncio.sleep(RECONNECT_SECONDS)


def _is_refusal(error: ProtocolError | ServerError) -> bool:
    return isinstance(error, ServerError) and error.status < 500  # noqa: PLR2004 - HTTP
