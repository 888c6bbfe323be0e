"""What this registry refuses, in the tree of protocol.errors, and the statuses it answers with.

`refusal` builds the error for a code of the distribution-spec; replication sees the same classes
that it sees from any other registry, and the /v2/ handlers render status and faults as they are.

RegistryStorageError
├── StorageFull        no room for more bytes
├── StorageBusy        somebody else writes to this upload
├── StorageUnavailable the storage does not answer, or with an error
├── PartialLost        an upload cannot go on: its bytes are not there
└── ObjectMissing      an object that a row names is not there

protocol.errors.Rejected
└── ImmutableTag       a rule keeps a tag where it is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocol import errors
from protocol.errors import RegistryError, RegistryFault


class RegistryStorageError(Exception):
    """The root of what storage drivers raise."""


class StorageFull(RegistryStorageError):
    """The disk or bucket takes no more."""


class StorageBusy(RegistryStorageError):
    """Another request is writing to the same upload."""


class StorageUnavailable(RegistryStorageError):
    """The storage does not answer, or refuses; the text names the operation and the key."""


class PartialLost(RegistryStorageError):
    """What an upload had is gone from the storage."""


class ObjectMissing(RegistryStorageError):
    """No such object."""


class ImmutableTag(errors.Rejected):
    """Tags would be moved or deleted that rules keep as they are: `tags`.

    412 as Harbor answers, with a fault for each tag; of the code DENIED, which docker prints.
    """

    def __init__(self, messages: Mapping[str, str], *, operation: str, repository: str) -> None:
        super().__init__(
            "; ".join(messages.values()),
            operation=operation,
            url=f"local/{repository}",
            status=IMMUTABLE_STATUS,
            faults=tuple(RegistryFault(code="DENIED", message=text) for text in messages.values()),
        )
        self.tags = frozenset(messages)


_STORAGE_CODES: dict[type[RegistryStorageError], str] = {
    StorageFull: "DENIED",
    StorageBusy: "RANGE_INVALID",
    StorageUnavailable: "UNAVAILABLE",
    PartialLost: "BLOB_UPLOAD_INVALID",
    ObjectMissing: "UNAVAILABLE",
}


def code_of(error: RegistryStorageError) -> str:
    """Return the code that tells a client what a storage driver raised."""
    return _STORAGE_CODES[type(error)]


# code → status and class (reference: distribution's registry/api/errcode).
_TABLE: dict[str, tuple[int, type[RegistryError]]] = {
    "UNAUTHORIZED": (401, errors.Unauthorized),
    "DENIED": (403, errors.Denied),
    "NAME_INVALID": (400, errors.Rejected),
    "NAME_UNKNOWN": (404, errors.NotFound),
    "TAG_INVALID": (400, errors.Rejected),
    "DIGEST_INVALID": (400, errors.Rejected),
    "SIZE_INVALID": (400, errors.Rejected),
    "RANGE_INVALID": (416, errors.RangeNotSatisfiable),
    "BLOB_UNKNOWN": (404, errors.NotFound),
    "BLOB_UPLOAD_UNKNOWN": (404, errors.NotFound),
    "BLOB_UPLOAD_INVALID": (404, errors.NotFound),
    "MANIFEST_UNKNOWN": (404, errors.NotFound),
    "MANIFEST_INVALID": (400, errors.Rejected),
    "MANIFEST_BLOB_UNKNOWN": (400, errors.Rejected),
    "PAGINATION_NUMBER_INVALID": (400, errors.Rejected),
    "UNSUPPORTED": (405, errors.Unsupported),
    "UNAVAILABLE": (503, errors.Unavailable),
}
CODES = frozenset(_TABLE)
MANIFEST_TOO_LARGE_STATUS = 413
IMMUTABLE_STATUS = 412


def refusal(
    code: str, message: str | Sequence[str], *, operation: str, repository: str = ""
) -> RegistryError:
    """Return the error for a code; several messages make several faults of that code."""
    status, error = _TABLE[code]
    messages = [message] if isinstance(message, str) else list(message)
    return error(
        messages[0],
        operation=operation,
        url=f"local/{repository}" if repository else "local",
        status=status,
        faults=tuple(RegistryFault(code=code, message=text) for text in messages),
    )


def status_of(code: str) -> int:
    """Return the HTTP status that goes with a code."""
    return _TABLE[code][0]
