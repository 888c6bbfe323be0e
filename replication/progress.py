"""What a copy tells while it goes on: to a progress bar, a table, or nobody."""

from __future__ import annotations

from typing import Protocol

from protocol.descriptor import Descriptor
from replication.transfer import Transfer, TransferReport


class ProgressListener(Protocol):
    """Is told of everything as it happens, synchronously: return at once and never raise."""

    def transfer_started(self, transfer: Transfer) -> None:
        """Begin: the transfer's blobs become known one manifest at a time."""
        ...

    def blob_found(self, transfer: Transfer, blob: Descriptor) -> None:
        """Count a blob that must be at the destination in the end; its size adds to the total."""
        ...

    def blob_moved(self, transfer: Transfer, blob: Descriptor, count_bytes: int) -> None:
        """Count bytes of a blob on their way; negative when an upload had to go back."""
        ...

    def blob_settled(self, transfer: Transfer, blob: Descriptor, how: str) -> None:
        """End a blob: `how` is copied, mounted or skipped."""
        ...

    def manifest_written(self, transfer: Transfer, reference: str) -> None:
        """Count a manifest or tag that the destination took."""
        ...

    def transfer_ended(self, transfer: Transfer, report: TransferReport | None) -> None:
        """End; None if it failed or was stopped."""
        ...


class Silence:
    """Listens to nothing."""

    def transfer_started(self, transfer: Transfer) -> None:
        """Do nothing."""

    def blob_found(self, transfer: Transfer, blob: Descriptor) -> None:
        """Do nothing."""

    def blob_moved(self, transfer: Transfer, blob: Descriptor, count_bytes: int) -> None:
        """Do nothing."""

    def blob_settled(self, transfer: Transfer, blob: Descriptor, how: str) -> None:
        """Do nothing."""

    def manifest_written(self, transfer: Transfer, reference: str) -> None:
        """Do nothing."""

    def transfer_ended(self, transfer: Transfer, report: TransferReport | None) -> None:
        """Do nothing."""


SILENCE = Silence()
