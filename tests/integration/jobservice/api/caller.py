"""Somebody who calls the API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy

from tests.integration.jobservice.api import answers

PASSWORD = "correct-Horse-7-battery"
ROOT = "/api/v2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body, read to the end."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    json: Any

    @property
    def messages(self) -> str:
        """What an error answer says, as one text."""
        return " | ".join(error["message"] for error in self.json["errors"])

    @property
    def links(self) -> dict[str, str]:
        """Where Link leads, by relation; paths for a caller."""
        found = re.findall(r'<([^>]+)>; rel="(\w+)"', self.headers.get("Link", ""))
        return {relation: f"/{link}" for link, relation in found}

    @property
    def code(self) -> str:
        """The first error's code."""
        code: str = self.json["errors"][0]["code"]
        return code


@dataclass(frozen=True, slots=True)
class Caller:
    """A client with its credentials; paths begin beneath /api/v2.0 unless they begin with //.

    Every answer is checked against the OpenAPI document.
    """

    client: TestClient[web.Request, web.Application]
    authorization: str | None = None

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        target = path[1:] if path.startswith("//") else ROOT + path
        if body is not None:
            options["json"] = body
        headers = {**options.pop("headers", {})}
        if self.authorization:
            headers["Authorization"] = self.authorization
        async with self.client.request(method, target, headers=headers, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            parsed = await response.json() if is_json else None
            answers.check(
                method,
                response.url.path,
                response.status,
                parsed,
                media_type=response.content_type if text else "",
            )
            return Answer(status=response.status, headers=response.headers, text=text, json=parsed)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("PUT", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.call("DELETE", path, **options)
