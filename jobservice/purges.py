"""Purges of the audit log."""

from __future__ import annotations

from access.audit import Event
from jobservice.domain.purge import VENDOR_TYPE
from jobservice.upkeep import Upkeep

PURGES = Upkeep(vendor_type=VENDOR_TYPE, noun="purge", started=Event.START_PURGE)
