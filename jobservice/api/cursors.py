"""Where a page begins, as an opaque word: the sort key of the row beside it.

A cursor holds nothing that its reader may not know, and is read as carefully as any parameter.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime

from jobservice.api import querying
from jobservice.api.querying import Fields, FieldType
from jobservice.domain.listing import Cursor, Order, Scalar
from jobservice.errors import InvalidRequest


def write(keys: Sequence[Order], cursor: Cursor) -> str:
    """Return the word for a cursor of a list in this order."""
    values = [v.isoformat() if isinstance(v, datetime) else v for v in cursor.key]
    text = json.dumps([_spelled(keys), cursor.backwards, values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(word: str, keys: Sequence[Order], fields: Fields) -> Cursor:
    """Read what `write` wrote for a list in the same order; raise InvalidRequest."""
    try:
        padded = word + "=" * (-len(word) % 4)
        spelled, backwards, values = json.loads(base64.urlsafe_b64decode(padded))
        if spelled == _spelled(keys) and isinstance(backwards, bool):
            key = tuple(
                _scalar(value, fields.get(order.field, FieldType.INTEGER))
                for value, order in zip(values, keys, strict=True)
            )
            return Cursor(key=key, backwards=backwards)
    except (RecursionError, TypeError, ValueError):
        pass
    raise InvalidRequest(["cursor: is none of this list in this order; begin at the first page"])


def _scalar(value: object, kind: FieldType) -> Scalar:
    """Return a value of the field's type; raise ValueError, TypeError."""
    text = str(value).lower() if kind is FieldType.BOOLEAN else str(value)
    if "\x00" in text:
        raise ValueError
    return querying.scalar(text, kind)


def _spelled(keys: Sequence[Order]) -> str:
    return ",".join(f"{'-' if order.descending else ''}{order.field}" for order in keys)
