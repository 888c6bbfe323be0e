"""What all repositories of one process work with."""

from __future__ import annotations

from dataclasses import dataclass, field

from database.pool import Database
from registry.admission import Admission
from registry.look_ups import LookUps
from registry.parsing import Parser
from registry.storage.driver import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """One of each."""

    database: Database
    storage: Storage
    admission: Admission
    look_ups: LookUps
    parser: Parser = field(default_factory=Parser)
