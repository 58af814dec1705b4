"""Canonical bytes of inputs, records and state: what the journal stores, the chain hashes, and a replay compares.

Fields stand in declaration order, maps in the order they grew, money as decimal strings, enums as their values: equal
histories give equal bytes.
"""

from array import array
from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from gridops.domain.effects import Effect
from gridops.domain.events import Event, Header
from gridops.domain.records import Record
from gridops.errors import JournalError


def _plain(held: object) -> object:
    if isinstance(held, array):
        return held.tolist()
    raise NotImplementedError(type(held).__name__)


_ENCODER = msgspec.json.Encoder(decimal_format="string", enc_hook=_plain)
encode = _ENCODER.encode
NO_RECORDS = b"[]"
_SAID_NOTHING = msgspec.Raw(NO_RECORDS)

_EVENTS: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Event)}
_RECORDS: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Record)}
_EFFECTS: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Effect)}


class Row(msgspec.Struct, array_like=True):
    """One journal row: the input, then what the engine said and wanted because of it."""

    header: Header
    kind: str
    event: msgspec.Raw
    records: list[tuple[str, msgspec.Raw]]
    effects: list[tuple[str, msgspec.Raw]]


_ROW = msgspec.json.Decoder(Row)


def encode_row(header: Header, event: Event, records: Sequence[Record], effects: Sequence[Effect]) -> bytes:
    """Canonical bytes of one step."""
    return encode_step(header, event, encode_records(records), effects)


def encode_step(header: Header, event: Event, records: bytes, effects: Sequence[Effect]) -> bytes:
    """The same, with the records already encoded by `encode_records`."""
    wanted = [(type(e).__name__, e) for e in effects] if effects else ()
    said = _SAID_NOTHING if records is NO_RECORDS else msgspec.Raw(records)
    return encode((header, type(event).__name__, event, said, wanted))


def decode_row(body: bytes) -> Row:
    """JournalError when the bytes are not a row of ours."""
    try:
        return _ROW.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(f"journal row is not readable: {error}") from error


def _typed(table: dict[str, type[Any]], kind: str, raw: msgspec.Raw) -> Any:
    cls = table.get(kind)
    if cls is None:
        raise JournalError(f"journal row names {kind!r}, which this build does not know")
    try:
        return msgspec.json.decode(raw, type=cls)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(f"journal row holds a malformed {kind}: {error}") from error


def event_of(row: Row) -> Event:
    event: Event = _typed(_EVENTS, row.kind, row.event)
    return event


def records_of(row: Row) -> list[Record]:
    return [_typed(_RECORDS, kind, raw) for kind, raw in row.records]


def effects_of(row: Row) -> list[Effect]:
    return [_typed(_EFFECTS, kind, raw) for kind, raw in row.effects]


def encode_records(records: Sequence[Record]) -> bytes:
    """The records alone, as they stand in the row."""
    return encode([(type(r).__name__, r) for r in records]) if records else NO_RECORDS
