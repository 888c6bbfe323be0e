"""The platform of an index entry (image-spec, image-index.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

# Of what is no image but comes with one, such as an attestation.
NONE: Final = "unknown/unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Operating system and processor; `str()` gives `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        parts = [self.os, self.architecture]
        if self.variant:
            parts.append(self.variant)
        return "/".join(parts)
