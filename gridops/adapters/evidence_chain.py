"""The hash chain of the evidence index: how a line is bound to the one before it, and reading it back with its faults.

`prev` is the sha256 of the line before, byte for byte (64 zeros first), `hash` that of the line's own content, so
that a dropped, changed or swapped line shows. Writes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from gridops.adapters.evidence_list import read_plain
from gridops.adapters.redaction import plain

INDEX = "index.jsonl"
GENESIS = "0" * 64
_MAX_INDEX = 1024 * 1024 * 1024


def content_hash(row: dict[str, object]) -> str:
    """sha256 of a line's content without its own `hash`, keys sorted."""
    content = {name: held for name, held in row.items() if name != "hash"}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_rows(root: Path, report: Callable[[str, str], None]) -> Iterator[dict[str, object]]:
    """The index's sound lines in order; `report(code, detail)` hears of every other one."""
    try:
        content = read_plain(root / INDEX, _MAX_INDEX)
    except FileNotFoundError:
        return
    except OSError as error:
        report("index_unreadable", str(error))
        return
    previous = GENESIS
    *lines, torn = content.split(b"\n")
    for at, text in enumerate(lines, 1):
        row = _row(text, at, previous, report)
        previous = hashlib.sha256(text).hexdigest()
        if row is not None:
            yield row
    if torn:
        report("index_torn", f"{len(torn)} bytes after the last line")


def _row(text: bytes, at: int, previous: str, report: Callable[[str, str], None]) -> dict[str, object] | None:
    try:
        row = orjson.loads(text)
        if not isinstance(row, dict) or row["hash"] != content_hash(row):
            raise ValueError("its hash does not fit its content")
        if row["prev"] != previous:
            raise ValueError("it does not follow the line before it")
    except (ValueError, KeyError, TypeError) as error:
        report("chain_broken", f"line {at}: {plain(str(error)[:120])}")
        return None
    return row
