"""The artifacts that the demo moves: real ones, built on the spot from files of this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from jobservice.demo import layers
from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.platform import Platform

HELM_CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SIGNATURE_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIGNATURE_LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE_KEY = "dev.cosignproject.cosign/signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes with the descriptor that manifests use for them."""

    descriptor: Descriptor
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Everything behind one tag: blobs, then manifests with children before parents.

    The last manifest is the tagged one; `referrers` point to it or to a child of it.
    """

    repository: str
    tag: str
    blobs: tuple[Blob, ...]
    manifests: tuple[RawManifest, ...]
    referrers: tuple[RawManifest, ...] = ()

    @property
    def root(self) -> RawManifest:
        """The manifest that the tag points to."""
        return self.manifests[-1]

    @property
    def size_bytes(self) -> int:
        """The size of its blobs, each counted once."""
        return sum(blob.descriptor.size_bytes for blob in self.blobs)


def build(namespace: str) -> list[Artifact]:
    """Build a signed two-platform image, a single image that shares layers with it, and a chart."""
    packages = ("asyncio", "ctypes", "email", "encodings", "importlib", "unittest")
    base = layer(layers.from_files(layers.python_files(*packages)))
    return [
        _signed_index(f"{namespace}/web", base),
        single_image(f"{namespace}/tool", base, version="1.0"),
        _chart(f"{namespace}/charts/web"),
    ]


def single_image(repository: str, base: Blob, *, version: str) -> Artifact:
    """Build a one-platform image on a base layer; versions differ in one small layer."""
    note = layers.from_contents({"etc/tool-release": f"version={version}\n".encode()})
    parts = (base, layer(layers.from_files(layers.python_files("json"))), layer(note))
    config = _image_config(parts, Platform(os="linux", architecture="amd64"))
    manifest = _manifest(config, parts)
    return Artifact(
        repository=repository, tag="latest", blobs=(config, *parts), manifests=(manifest,)
    )


def layer(body: bytes) -> Blob:
    """Wrap a packed layer."""
    return _blob(body, media_types.OCI_LAYER_GZIP)


def _signed_index(repository: str, base: Blob) -> Artifact:
    contents = {"amd64": ("http", "html"), "arm64": ("xml", "wsgiref")}
    blobs: list[Blob] = [base]
    manifests: list[RawManifest] = []
    entries: list[dict[str, Any]] = []
    for architecture, packages in contents.items():
        platform = Platform(os="linux", architecture=architecture)
        own = layer(layers.from_files(layers.python_files(*packages)))
        config = _image_config((base, own), platform)
        manifest = _manifest(config, (base, own))
        blobs += [own, config]
        manifests.append(manifest)
        named = {"os": platform.os, "architecture": platform.architecture}
        entries.append({**_json(manifest.descriptor), "platform": named})
    index = _raw({"mediaType": media_types.OCI_INDEX, "manifests": entries})
    payload, signature = _signature(repository, index)
    empty = _blob(b"{}", media_types.OCI_EMPTY)
    return Artifact(
        repository=repository,
        tag="1.0",
        blobs=(*blobs, payload, empty),
        manifests=(*manifests, index),
        referrers=(_referrer(empty, payload, signature, index),),
    )


def _chart(repository: str) -> Artifact:
    about = {"apiVersion": "v2", "name": "web", "version": "0.1.0", "type": "application"}
    written = "".join(f"{key}: {value}\n" for key, value in about.items())
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n"
    packed = layers.from_contents(
        {"web/Chart.yaml": written.encode(), "web/templates/service.yaml": service.encode()}
    )
    config = _blob(json.dumps(about).encode(), media_types.HELM_CONFIG)
    content = _blob(packed, HELM_CHART_LAYER)
    return Artifact(
        repository=repository,
        tag="0.1.0",
        blobs=(config, content),
        manifests=(_manifest(config, (content,)),),
    )


def _signature(repository: str, signed: RawManifest) -> tuple[Blob, str]:
    """Sign a manifest's digest with a key made for it, as `cosign sign --key` does."""
    statement = {
        "critical": {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": str(signed.digest)},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    payload = json.dumps(statement).encode()
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, payload, ec.ECDSA(hashes.SHA256()))
    return _blob(payload, SIGNATURE_LAYER), base64.b64encode(signature).decode()


def _referrer(empty: Blob, payload: Blob, signature: str, subject: RawManifest) -> RawManifest:
    annotated = {**_json(payload.descriptor), "annotations": {_SIGNATURE_KEY: signature}}
    return _raw(
        {
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": SIGNATURE_TYPE,
            "config": _json(empty.descriptor),
            "layers": [annotated],
            "subject": _json(subject.descriptor),
        }
    )


def _image_config(parts: tuple[Blob, ...], platform: Platform) -> Blob:
    config = {
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Env": ["PYTHONPATH=/usr/lib/python3"]},
        "rootfs": {"type": "layers", "diff_ids": [_diff_id(part) for part in parts]},
    }
    return _blob(json.dumps(config).encode(), media_types.OCI_CONFIG)


def _diff_id(part: Blob) -> str:
    return str(Digest.of(layers.unpacked(part.body)))


def _manifest(config: Blob, parts: tuple[Blob, ...]) -> RawManifest:
    return _raw(
        {
            "mediaType": media_types.OCI_MANIFEST,
            "config": _json(config.descriptor),
            "layers": [_json(part.descriptor) for part in parts],
        }
    )


def _raw(document: Mapping[str, Any]) -> RawManifest:
    body = json.dumps({"schemaVersion": 2, **document}, indent=2).encode()
    return RawManifest(media_type=document["mediaType"], digest=Digest.of(body), body=body)


def _blob(body: bytes, media_type: str) -> Blob:
    descriptor = Descriptor(media_type=media_type, digest=Digest.of(body), size_bytes=len(body))
    return Blob(descriptor=descriptor, body=body)


def _json(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }
