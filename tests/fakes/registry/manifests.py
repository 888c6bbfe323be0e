"""The fake's manifests: kept byte by byte, refused when anything about them is off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest, is_digest
from protocol.errors import InvalidDigest
from tests.fakes.registry import answers
from tests.fakes.registry.content import Repository
from tests.fakes.registry.state import Hit, State


async def handle(state: State, request: web.Request, hit: Hit) -> web.Response:
    """Serve GET, HEAD, PUT and DELETE of a manifest."""
    match request.method:
        case "GET" | "HEAD":
            return _read(state, request, hit)
        case "PUT":
            return await _write(state, request, hit)
        case "DELETE":
            return _delete(state, hit)
        case _:
            return answers.error(405, "UNSUPPORTED")


def _read(state: State, request: web.Request, hit: Hit) -> web.Response:
    repository = state.repositories.get(hit.repository)
    if repository is None:
        return answers.error(404, "NAME_UNKNOWN", "repository name not known to registry")
    manifest = repository.find(hit.target)
    accepted = request.headers.get("Accept", "")
    if manifest is None or (manifest.media_type not in accepted and "*/*" not in accepted):
        return answers.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    digest = hit.target if is_digest(hit.target) else str(manifest.digest)
    return web.Response(
        body=manifest.body,
        headers={
            "Content-Type": manifest.media_type + state.habits.content_type_suffix,
            "Docker-Content-Digest": digest,
            "ETag": f'"{manifest.digest}"',
        },
    )


async def _write(state: State, request: web.Request, hit: Hit) -> web.Response:
    body = await request.read()
    if len(body) > state.habits.manifest_limit_bytes:
        return answers.error(413, "MANIFEST_INVALID", "too large")
    try:
        manifest = _checked(request, hit, body)
    except (InvalidDigest, ValueError) as error:
        return answers.error(400, "MANIFEST_INVALID", str(error))
    repository = state.repository(hit.repository)
    value = json.loads(body)
    missing = [d for d in _needed(value) if not _held(repository, d)]
    if missing and state.habits.checks_children:
        return answers.error(400, "MANIFEST_BLOB_UNKNOWN", ", ".join(missing))
    if state.habits.conditional_writes and not _condition_holds(repository, request, hit):
        return answers.error(412, "PRECONDITION_FAILED")
    repository.manifests[str(manifest.digest)] = manifest
    if not is_digest(hit.target):
        repository.tags[hit.target] = str(manifest.digest)
    headers = {
        "Location": f"/v2/{hit.repository}/manifests/{manifest.digest}",
        "Docker-Content-Digest": str(manifest.digest),
    }
    if value.get("subject") and state.habits.referrers_api and state.habits.subject_header:
        headers["OCI-Subject"] = value["subject"]["digest"]
    return web.Response(status=201, headers=headers)


def _checked(request: web.Request, hit: Hit, body: bytes) -> RawManifest:
    content_type = request.headers.get("Content-Type", "")
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 (the caller answers 400 to ValueError)
    if value.get("mediaType", content_type) != content_type:
        raise ValueError(f"Content-Type {content_type} is not {value['mediaType']}")
    digest = Digest.of(body)
    if is_digest(hit.target):
        wanted = Digest.parse(hit.target)
        digest = Digest.of(body, wanted.algorithm)
        if digest != wanted:
            raise ValueError("digest does not match the content")
    return RawManifest(media_type=content_type, digest=digest, body=body)


def _needed(value: dict[str, Any]) -> Iterator[str]:
    for child in value.get("manifests") or []:
        yield child["digest"]
    for blob in [value.get("config"), *(value.get("layers") or [])]:
        if blob and blob["mediaType"] not in media_types.FOREIGN_LAYERS:
            yield blob["digest"]


def _held(repository: Repository, digest: str) -> bool:
    return digest in repository.blobs or digest in repository.manifests


def _condition_holds(repository: Repository, request: web.Request, hit: Hit) -> bool:
    present = repository.find(hit.target)
    wanted = request.headers.get("If-Match")
    if request.headers.get("If-None-Match") == "*" and present is not None:
        return False
    return wanted is None or (present is not None and wanted == f'"{present.digest}"')


def _delete(state: State, hit: Hit) -> web.Response:
    repository = state.repositories.get(hit.repository)
    by_digest = is_digest(hit.target)
    if not state.habits.deletes or (not by_digest and not state.habits.deletes_tags):
        return answers.error(405, "UNSUPPORTED")
    if repository is None or repository.find(hit.target) is None:
        return answers.error(404, "MANIFEST_UNKNOWN")
    if by_digest:
        del repository.manifests[hit.target]
        for tag in [t for t, digest in repository.tags.items() if digest == hit.target]:
            del repository.tags[tag]
    else:
        del repository.tags[hit.target]
    return web.Response(status=202)
