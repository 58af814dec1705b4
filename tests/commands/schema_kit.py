"""The committed shape of every `--json` document, and what a document may not do to those who read it.

A shape is a JSON schema of types and required names. A document must still have every name it had, of a type it had;
names may be added. `SCHEMAS_UPDATE=1` writes what is seen, joined with what is there; a name is only ever taken out by
hand, with a new version of the document.
"""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "schemas"
UPDATE = os.environ.get("SCHEMAS_UPDATE") == "1"
Schema = dict[str, Any]
_NAMES = (
    "decisions orders position actions operations before after fees verbs settings expectations sources counters by "
    "totals ops refusals rates wallet severities unvalued unvalued_fees fees_by_asset reasons groups"
)
MAPS = frozenset(_NAMES.split())
"""Objects whose names are data (symbols, reasons, assets), not part of a shape."""
OPAQUE = frozenset({"args", "default", "facts"})
"""Values that hold whatever a word of a drill or a bundle holds."""
_TYPES = {bool: "boolean", int: "integer", str: "string", float: "number", type(None): "null"}


def shape(held: Any, name: str = "") -> Schema:
    """The schema of one value as seen."""
    if name in OPAQUE:
        return {}
    if isinstance(held, dict):
        inner = {key: shape(each, key) for key, each in held.items()}
        if name in MAPS:
            return {"type": ["object"], "additionalProperties": joined(*inner.values())}
        return {"type": ["object"], "properties": inner, "required": sorted(inner)}
    if isinstance(held, list):
        return {"type": ["array"], "items": joined(*(shape(each) for each in held))}
    return {"type": [_TYPES[type(held)]]}


def joined(*schemas: Schema) -> Schema:
    """What fits any of them; required is what all have."""
    found: Schema = {}
    for each in (each for each in schemas if each):
        found = _both(found, each) if found else each
    return found


def _both(one: Schema, other: Schema) -> Schema:
    found: Schema = {"type": sorted({*one["type"], *other["type"]})}
    for key in ("items", "additionalProperties"):
        if key in one or key in other:
            found[key] = joined(one.get(key, {}), other.get(key, {}))
    if "properties" in one or "properties" in other:
        ours, theirs = one.get("properties", {}), other.get("properties", {})
        names = sorted({*ours, *theirs})
        found["properties"] = {name: joined(ours.get(name, {}), theirs.get(name, {})) for name in names}
        lists = [set(each["required"]) for each in (one, other) if "required" in each]
        found["required"] = sorted(set.intersection(*lists))
    return found


def broken(schema: Schema, held: Any, where: str = "$", *, lively: bool = False) -> list[str]:
    """What a reader of the committed shape would stumble over in this document.

    What was only ever null may become anything. Of a `lively` document, whose figures are chance, any may be null.
    """
    if not schema or schema["type"] == ["null"] or (lively and held is None):
        return []
    kind = shape(held)["type"][0]
    if kind not in schema["type"]:
        return [f"{where}: {kind}, was {' or '.join(schema['type'])}"]
    found: list[str] = []
    if isinstance(held, dict):
        known = schema.get("properties", {})
        found += [f"{where}.{name} is gone" for name in schema.get("required", []) if name not in held]
        for name, each in held.items():
            found += broken(
                known.get(name, schema.get("additionalProperties", {})), each, f"{where}.{name}", lively=lively
            )
    elif isinstance(held, list):
        for at, each in enumerate(held):
            found += broken(schema.get("items", {}), each, f"{where}[{at}]", lively=lively)
    return found


def file_of(document: dict[str, Any]) -> Path:
    """`gridops.fsm.show/1` stands in `fsm.show.1.json`."""
    name, _, version = document["schema"].removeprefix("gridops.").partition("/")
    return FOLDER / f"{name}.{version}.json"


def hold(document: dict[str, Any], *, lively: bool = False) -> None:
    """The document keeps the shape that is committed for it; fails naming every difference."""
    file = file_of(document)
    if UPDATE:
        kept = json.loads(file.read_text()) if file.is_file() else {}
        made = joined(kept, shape(document)) if kept else shape(document)
        body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": document["schema"], **_bare(made)}
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")
    assert file.is_file(), f"{document['schema']} has no committed schema: run with SCHEMAS_UPDATE=1 and read the diff"
    schema = json.loads(file.read_text())
    assert schema["title"] == document["schema"]
    assert broken(schema, document, lively=lively) == [], document["schema"]


def _bare(schema: Schema) -> Schema:
    return {key: held for key, held in schema.items() if key not in ("$schema", "title")}
