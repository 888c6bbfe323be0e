"""What a client does, in a line each."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy
from yarl import URL

from database.pool import Connection, Database
from protocol import media_types
from protocol.digest import Algorithm, Digest
from registry import maintenance
from registry.service import Registry

Client = TestClient[web.Request, web.Application]
REPOSITORY = "library/app"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    client: Client, method: str, path: str | URL, body: Any = None, **headers: str
) -> Answer:
    """Send a request; `Content_Type=…` becomes a header."""
    if isinstance(body, bytes):
        body = io.BytesIO(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(
        method, path, data=body, headers=named, allow_redirects=False
    ) as response:
        content = await response.read()
        return Answer(response.status, response.headers, content)


def digest(content: bytes, algorithm: Algorithm = Algorithm.SHA256) -> str:
    return str(Digest.of(content, algorithm))


async def begin(client: Client, repository: str = REPOSITORY, query: str = "") -> str:
    answer = await ask(client, "POST", f"/v2/{repository}/blobs/uploads/{query}")
    assert answer.status == 202, answer
    return answer.headers["Location"]


async def push_blob(
    client: Client,
    content: bytes,
    *,
    repository: str = REPOSITORY,
    algorithm: Algorithm = Algorithm.SHA256,
) -> str:
    name = digest(content, algorithm)
    location = await begin(client, repository)
    answer = await ask(client, "PUT", f"{location}?digest={name}", content)
    assert answer.status == 201, answer
    return name


def descriptor(
    content: bytes,
    media_type: str = media_types.OCI_LAYER_GZIP,
    algorithm: Algorithm = Algorithm.SHA256,
) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content, algorithm), "size": len(content)}


def image(config: bytes, layers: list[bytes], **fields: Any) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(config, media_types.OCI_CONFIG),
        "layers": [descriptor(layer) for layer in layers],
        **fields,
    }
    return json.dumps(value).encode()


def index(children: list[bytes], **fields: Any) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [descriptor(child, media_types.OCI_MANIFEST) for child in children],
        **fields,
    }
    return json.dumps(value).encode()


async def put_manifest(
    client: Client, body: bytes, reference: str | None = None, repository: str = REPOSITORY
) -> Answer:
    path = f"/v2/{repository}/manifests/{reference or digest(body)}"
    media_type = json.loads(body).get("mediaType", media_types.OCI_MANIFEST)
    return await ask(client, "PUT", path, body, Content_Type=media_type)


async def merge_uses(
    database: Database, registry: Registry, projects: Sequence[int] | None = ()
) -> None:
    """Write down what was used; the pulls of some projects are told, None for all."""

    async def listeners(_connection: Connection) -> Sequence[int] | None:
        return projects

    await maintenance.merge_uses(database, registry.uses, listeners)


async def push_image(
    client: Client, tag: str | None = None, *, repository: str = REPOSITORY, **fields: Any
) -> bytes:
    """Push a small image whose config carries its fields, so that no two are equal."""
    config, layer = json.dumps([tag, repr(fields)]).encode(), b"layer"
    await push_blob(client, config, repository=repository)
    await push_blob(client, layer, repository=repository)
    body = image(config, [layer], **fields)
    answer = await put_manifest(client, body, tag, repository)
    assert answer.status == 201, answer
    return body
