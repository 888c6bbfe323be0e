"""Files that people write in YAML, or in JSON, which is YAML too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

from jobservice.cli.errors import UsageError

STDIN: Final = Path("-")
_SIZE_LIMIT_BYTES: Final = 4 * 1024 * 1024
_LEFT_AS_TEXT: Final = frozenset({"tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"})


class _AsWritten(yaml.SafeLoader):
    """YAML in which `1.10` and `2024-01-01` are tags, and a key said twice is refused."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own, and read only
        first: [(tag, form) for tag, form in resolvers if tag not in _LEFT_AS_TEXT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raise for duplicate keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} is said twice", problem_mark=node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def read(path: Path) -> Any:
    """Return what a file says, or standard input for `-`; raise UsageError."""
    try:
        if path == STDIN:
            body = sys.stdin.buffer.read(_SIZE_LIMIT_BYTES + 1)
        else:
            with path.open("rb") as file:
                body = file.read(_SIZE_LIMIT_BYTES + 1)
        if len(body) > _SIZE_LIMIT_BYTES:
            raise UsageError(f"{path} is larger than 4 MiB: is it the right file?")
        return yaml.load(body, Loader=_AsWritten)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
