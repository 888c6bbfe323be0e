"""The content of the benchmark, made on the spot and pushed with nothing but http.client."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[1]
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"

MANY_IMAGES: Final = 200
MANY_LAYER_BYTES: Final = 64 * 1024
LARGE_LAYERS: Final = 4
LARGE_LAYER_BYTES: Final = 256 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024


@dataclass(slots=True)
class Pusher:
    """Pushes to one repository over one connection."""

    host: str
    repository: str
    _connection: http.client.HTTPConnection = field(init=False)
    _pushed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.host, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Push a blob once; return its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest not in self._pushed:
            location = self._ask("POST", f"/v2/{self.repository}/blobs/uploads/")["Location"]
            mark = "&" if "?" in location else "?"
            self._ask("PUT", f"{location}{mark}digest={digest}", content)
        descriptor = {"mediaType": media_type, "digest": digest, "size": len(content)}
        self._pushed[digest] = descriptor
        return descriptor

    def manifest(self, document: dict[str, Any], tag: str | None = None) -> dict[str, Any]:
        """Push a manifest under a tag or its digest; return its descriptor."""
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        media_type = document["mediaType"]
        path = f"/v2/{self.repository}/manifests/{tag or digest}"
        self._ask("PUT", path, body, {"Content-Type": media_type})
        return {"mediaType": media_type, "digest": digest, "size": len(body)}

    def image(self, layers: list[bytes], name: str, tag: str | None = None) -> dict[str, Any]:
        """Push an image whose config is told apart by `name`."""
        config = json.dumps({"os": "linux", "architecture": "amd64", "author": name}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(config, CONFIG),
            "layers": [self.blob(layer, LAYER) for layer in layers],
        }
        return self.manifest(document, tag)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPMessage:
        path = path.removeprefix(f"http://{self.host}")
        self._connection.request(method, path, body=body, headers=headers or {})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {said[:500]!r}")
        return answer.headers


def push_many(host: str, repository: str) -> None:
    """Push 200 images of 4 layers of 64 KiB; two of the layers are the same in all."""
    source = random.Random(1)  # noqa: S311 - content to move, not secrets
    shared = [source.randbytes(MANY_LAYER_BYTES) for _ in range(2)]
    with Pusher(host, repository) as pusher:
        for number in range(MANY_IMAGES):
            own = [source.randbytes(MANY_LAYER_BYTES) for _ in range(2)]
            pusher.image([*shared, *own], f"image {number}", f"v{number:03}")


def push_large(host: str, repository: str) -> None:
    """Push one image of 4 layers of 256 MiB."""
    source = random.Random(2)  # noqa: S311 - content to move, not secrets
    with Pusher(host, repository) as pusher:
        layers = [pusher.blob(_large_layer(source), LAYER) for _ in range(LARGE_LAYERS)]
        config = pusher.blob(b'{"os":"linux","architecture":"amd64"}', CONFIG)
        pusher.manifest(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}, "v1"
        )


def _large_layer(source: random.Random) -> bytes:
    pieces = LARGE_LAYER_BYTES // _PIECE_BYTES
    return b"".join(source.randbytes(_PIECE_BYTES) for _ in range(pieces))


def push_index(host: str, repository: str) -> None:
    """Push an index of two platforms, 5 layers each, one of them shared: 11 distinct blobs."""
    source = random.Random(3)  # noqa: S311 - content to move, not secrets
    shared = source.randbytes(MANY_LAYER_BYTES)
    with Pusher(host, repository) as pusher:
        entries = []
        for architecture in ("amd64", "arm64"):
            layers = [shared, *(source.randbytes(MANY_LAYER_BYTES) for _ in range(4))]
            entry = pusher.image(layers, architecture)
            entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
        pusher.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, "v1")


def push_apart(push: Callable[[str, str], None], host: str, repository: str) -> None:
    """Push in a process of its own.

    A child's peak memory begins with its parent's: whoever measures must not have held a layer.
    """
    program = f"from bench import content; content.{push.__name__}({host!r}, {repository!r})"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)  # noqa: S603 - ours
