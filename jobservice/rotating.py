"""Sealing every secret anew with the first key, while everything runs."""

from __future__ import annotations

from dataclasses import dataclass

from database import sealing
from database.pool import Connection, Database
from database.sealing import Keyring
from jobservice.store import sealed
from jobservice.store.sealed import SealedColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How many secrets there are, and how many of them another key had sealed."""

    secrets: int
    resealed: int


async def rotate(database: Database, keyring: Keyring) -> Rotation:
    """Seal with the first key what another one sealed; raise WrongKey or BrokenSeal.

    It may be broken off and repeated. The canary comes last: where the first key opens it alone,
    the other keys are not needed any more.
    """
    secrets = resealed = 0
    async with database.connection() as connection:
        await sealing.check_canary(connection, keyring)
        for column in sealed.COLUMNS:
            seen, old = await _pass(connection, keyring, column)
            while old:
                resealed += old
                seen, old = await _pass(connection, keyring, column)
            secrets += seen
        await sealing.renew_canary(connection, keyring)
    return Rotation(secrets=secrets, resealed=resealed)


async def _pass(connection: Connection, keyring: Keyring, column: SealedColumn) -> tuple[int, int]:
    """Go through a column once; return how many values there were and how many were old.

    A value that somebody changed meanwhile is left to the next pass.
    """
    seen = old = after = 0
    while rows := await sealed.page(connection, column, after=after):
        for row_id, value in rows:
            if not keyring.is_sealed_by_first(value):
                old += 1
                context = column.context(row_id)
                anew = keyring.seal(keyring.open(value, context=context), context=context)
                await sealed.replace(connection, column, row_id, old=value, new=anew)
        seen += len(rows)
        after = rows[-1][0]
    return seen, old
