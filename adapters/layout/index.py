"""The index.json of a layout as pure data (image-spec, image-layout.md#indexjson-file).

A name is the annotation `org.opencontainers.image.ref.name`. Most tools write a tag there, some a
full name, whose tag then counts as long as only one artifact of the layout has it. What other tools
have written into entries stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from protocol import media_types, reference
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest, InvalidReference

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One descriptor of index.json, with every field that was written there."""

    fields: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Its digest as written."""
        return str(self.fields["digest"])

    @property
    def media_type(self) -> str:
        """What it says it is."""
        return str(self.fields["mediaType"])

    @property
    def name(self) -> str | None:
        """Its reference name: a tag or a full name; None when it has none."""
        annotations = self.fields.get("annotations")
        name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
        return name if isinstance(name, str) and name else None

    @property
    def tag(self) -> str | None:
        """The tag that its name gives it."""
        return None if self.name is None else tag_of(self.name)

    def unnamed(self) -> Entry:
        """Return it without its name."""
        annotations = {k: v for k, v in self.fields["annotations"].items() if k != REF_NAME}
        fields = {k: v for k, v in self.fields.items() if k != "annotations"}
        return Entry(fields={**fields, "annotations": annotations} if annotations else fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutIndex:
    """What a layout lists, in its order."""

    entries: tuple[Entry, ...] = ()
    fields: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read index.json; raise InvalidManifest when it is none."""
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise InvalidManifest(f"index.json is no JSON: {error}") from None
        manifests = value.get("manifests") if isinstance(value, dict) else None
        if not isinstance(manifests, list) or not all(map(_is_descriptor, manifests)):
            raise InvalidManifest("index.json lists no manifests with mediaType, digest and size")
        fields = {k: v for k, v in value.items() if k != "manifests"}
        return cls(entries=tuple(Entry(fields=f) for f in manifests), fields=fields)

    def render(self) -> bytes:
        """Return the bytes of index.json."""
        fields = self.fields or {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX}
        value = {**fields, "manifests": [dict(entry.fields) for entry in self.entries]}
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def tags(self) -> dict[str, str]:
        """Return the digest of each tag, tags in order."""
        found = {entry.tag: entry.digest for entry in self.entries if entry.tag}
        return {tag: found[tag] for tag in sorted(found)}

    def find(self, name: str) -> Entry | None:
        """Return the entry of a tag, a full name or a digest; None when there is none.

        Raises InvalidReference when several different artifacts go by that tag.
        """
        exact = [e for e in self.entries if name in (e.name, e.digest)]
        matching = exact or [e for e in self.entries if e.tag == name]
        if len({entry.digest for entry in matching}) > 1:
            names = ", ".join(sorted(str(entry.name) for entry in matching))
            raise InvalidReference(f"{name!r} names several artifacts of this layout: {names}")
        return matching[0] if matching else None

    def roots(self) -> tuple[Entry, ...]:
        """Return the named entries, or all of them where nothing has a name."""
        named = tuple(entry for entry in self.entries if entry.tag)
        return named or self.entries

    def with_manifest(
        self, descriptor: Descriptor, *, tag: str | None, children: Collection[Digest] = ()
    ) -> LayoutIndex:
        """List a manifest, under a tag if it has one; what only its parent lists is left out.

        Whatever had the tag before stays listed, without it.
        """
        hidden = {str(child) for child in children}
        kept = [e for e in self.entries if e.name is not None or e.digest not in hidden]
        if tag is None:
            listed = any(entry.digest == str(descriptor.digest) for entry in kept)
            added = [] if listed else [Entry(fields=_fields(descriptor, None))]
            return replace(self, entries=(*kept, *added))
        if self.tags().get(tag) == str(descriptor.digest):
            return replace(self, entries=tuple(kept))
        entry = Entry(fields=_fields(descriptor, tag))
        others = [e.unnamed() if e.tag == tag else e for e in kept]
        others = [e for e in others if e.name is not None or e.digest != entry.digest]
        return replace(self, entries=(*others, entry))

    def without_tag(self, tag: str) -> LayoutIndex:
        """Take a tag away; its manifest stays listed."""
        digests = {entry.digest for entry in self.entries if entry.tag != tag}
        kept: list[Entry] = []
        for entry in self.entries:
            if entry.tag != tag:
                kept.append(entry)
            elif entry.digest not in digests:
                digests.add(entry.digest)
                kept.append(entry.unnamed())
        return replace(self, entries=tuple(kept))

    def without_digest(self, digest: Digest) -> LayoutIndex:
        """Take a manifest away with all its tags."""
        kept = tuple(entry for entry in self.entries if entry.digest != str(digest))
        return replace(self, entries=kept)


def tag_of(name: str) -> str | None:
    """Return the tag that a reference name stands for: itself, or what follows a full name."""
    last = name.rpartition("/")[2]
    candidate = last.rpartition(":")[2] if ":" in last else name
    if "@" in name:
        return None
    try:
        reference.check_tag(candidate)
    except InvalidReference:
        return None
    return candidate


def _is_descriptor(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    texts = isinstance(value.get("mediaType"), str) and isinstance(value.get("digest"), str)
    return texts and isinstance(value.get("size"), int)


def _fields(descriptor: Descriptor, tag: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }
    if descriptor.artifact_type:
        fields["artifactType"] = descriptor.artifact_type
    if tag is not None:
        fields["annotations"] = {REF_NAME: tag}
    return fields
