"""The fake's listings: tags, catalog, referrers, paged by Link."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web

from protocol import media_types
from tests.fakes.registry import answers
from tests.fakes.registry.state import Hit, State


def handle(state: State, request: web.Request, hit: Hit) -> web.Response:
    """Serve a page of a listing."""
    match hit.kind:
        case "tags":
            return _tags(state, request, hit)
        case "catalog":
            return _catalog(state, request)
        case _:
            return _referrers(state, request, hit)


def _tags(state: State, request: web.Request, hit: Hit) -> web.Response:
    repository = state.repositories.get(hit.repository)
    if repository is None:
        return answers.error(404, "NAME_UNKNOWN", "repository name not known to registry")
    page, headers = _page(state, request, sorted(repository.tags))
    tags = [*page, *state.habits.odd_tags] if not headers else list(page)
    return web.json_response({"name": hit.repository, "tags": tags or None}, headers=headers)


def _catalog(state: State, request: web.Request) -> web.Response:
    if not state.habits.catalog:
        return answers.error(404, "UNSUPPORTED")
    page, headers = _page(state, request, sorted(state.repositories))
    return web.json_response({"repositories": page}, headers=headers)


def _referrers(state: State, request: web.Request, hit: Hit) -> web.Response:
    if not state.habits.referrers_api:
        return web.Response(status=state.habits.referrers_status, text="<html>not here</html>")
    repository = state.repositories.get(hit.repository)
    found = repository.referrers(hit.target) if repository else []
    headers = {"Content-Type": media_types.OCI_INDEX + state.habits.content_type_suffix}
    wanted = request.query.get("artifactType")
    if wanted is not None and state.habits.filters_referrers:
        found = [each for each in found if each.get("artifactType") == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    by_digest = {each["digest"]: each for each in found}
    page, link = _page(state, request, sorted(by_digest))
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [by_digest[digest] for digest in page],
    }
    return web.Response(body=json.dumps(value).encode(), headers={**headers, **link})


def _page(
    state: State, request: web.Request, names: Sequence[str]
) -> tuple[Sequence[str], dict[str, str]]:
    habits = state.habits
    if habits.link is None:
        return names, {}
    last = request.query.get("last", "")
    rest = [name for name in names if name > last]
    size = min(int(request.query.get("n", habits.page_size)), habits.page_size)
    page = rest[:size]
    if len(rest) <= size and habits.link != "loop":
        return page, {}
    after = "" if habits.link == "loop" else page[-1]
    target = f"{request.path}?n={size}&last={quote(after, safe='')}"
    if habits.link == "absolute":
        target = state.base_url + target
    return page, {"Link": f'<{target}>; rel="next"'}
