"""Answers and events that were right until a fault changed them: fields replaced, rows missing, orders forgotten.

Sits between the gateway or the hub and the faults. Without a named field the fault's own seeded chance picks field and
value, so that the same seed damages the same way twice.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from gridops.venue.server.faults import Fault

_ABSURD: tuple[Any, ...] = (None, "", "NaN", "-1", "1e999", 0, -1, True, [], {}, "\u0000", "99999999999999999999999999")
_GONE = object()


def mutated(body: bytes, fault: Fault) -> bytes:
    """The JSON text with one field changed; text that is no JSON is left alone."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    named = fault.args.get("field")
    path: Sequence[str | int] = _parsed(named) if named is not None else _some_path(document, fault)
    value = fault.args["value"] if "value" in fault.args else fault.chance.choice(_ABSURD)
    if fault.args.get("drop"):
        value = _GONE
    return orjson.dumps(_with(document, path, value))


def _parsed(field: str) -> list[str | int]:
    """`0.orderId` or `o.p`: names and list positions, separated by dots."""
    return [int(part) if part.isdecimal() else part for part in field.split(".")]


def _some_path(document: Any, fault: Fault) -> list[str | int]:
    """A leaf chosen by the fault's chance; the whole document when it has none."""
    path: list[str | int] = []
    while isinstance(document, dict | list) and document:
        keys: list[str | int] = list(document) if isinstance(document, dict) else list(range(len(document)))
        path.append(fault.chance.choice(keys))
        document = document[path[-1]]  # type: ignore[index]
    return path


def _with(document: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return None if value is _GONE else value
    head, rest = path[0], path[1:]
    if isinstance(document, dict) and isinstance(head, str):
        if value is _GONE and not rest:
            return {name: held for name, held in document.items() if name != head}
        return {**document, head: _with(document.get(head), rest, value)}
    if isinstance(document, list) and isinstance(head, int) and head < len(document):
        changed = [] if value is _GONE and not rest else [_with(document[head], rest, value)]
        return [*document[:head], *changed, *document[head + 1 :]]
    return document


def first_rows(body: bytes, fault: Fault) -> bytes:
    """A list cut to its first rows, as a page that ends too early; anything else is left alone."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps(document[: fault.args.get("rows", 0)]) if isinstance(document, list) else body


def forgets(body: bytes, fault: Fault) -> bytes | None:
    """The answer without the forgotten order; None when that order was all it told."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if isinstance(document, dict):
        return None if "orderId" in document and _is_it(document, fault) else body
    if not isinstance(document, list):
        return body
    return orjson.dumps([row for row in document if not _is_it(row, fault)])


def _is_it(row: Any, fault: Fault) -> bool:
    wanted = fault.args.get("client_id")
    return isinstance(row, dict) and "clientOrderId" in row and wanted in (None, row["clientOrderId"])
