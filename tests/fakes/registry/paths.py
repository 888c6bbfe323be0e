"""What a request to the fake is about, read from the right: names are greedy."""

from __future__ import annotations

import re

from aiohttp import web

from tests.fakes.registry.state import Hit

_ROUTES = (
    ("upload", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<target>[^/]*)")),
    ("blob", re.compile(r"/v2/(?P<name>.+)/blobs/(?P<target>[^/]+)")),
    ("manifest", re.compile(r"/v2/(?P<name>.+)/manifests/(?P<target>[^/]+)")),
    ("referrers", re.compile(r"/v2/(?P<name>.+)/referrers/(?P<target>[^/]+)")),
    ("tags", re.compile(r"/v2/(?P<name>.+)/tags/list")),
)
_ACTIONS = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": ("delete",)}


def classify(request: web.Request) -> Hit:
    """Name the request's kind, its parts, and the access it needs."""
    path = request.path
    if path == "/token":
        return Hit(kind="token")
    if path in {"/v2", "/v2/"}:
        return Hit(kind="ping")
    if path == "/v2/_catalog":
        return Hit(kind="catalog", scope=frozenset({"registry:catalog:*"}))
    for kind, pattern in _ROUTES:
        match = pattern.fullmatch(path)
        if match:
            name = match["name"]
            target = match.groupdict().get("target") or ""
            scope = _scope(request, kind, name)
            return Hit(kind=kind, repository=name, target=target, scope=scope)
    return Hit(kind="unknown")


def _scope(request: web.Request, kind: str, name: str) -> frozenset[str]:
    actions = _ACTIONS.get(request.method, ("pull", "push"))
    if kind == "upload":
        actions = ("pull", "push")
    scope = {f"repository:{name}:{action}" for action in actions}
    if request.query.get("from"):
        scope.add(f"repository:{request.query['from']}:pull")
    return frozenset(scope)
