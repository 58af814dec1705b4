"""Shapes of JSON values: which fields, which JSON types, which words; and where one shape lacks what another has."""

import re
from dataclasses import dataclass, field
from typing import Any

_WORD = re.compile(r"[A-Z][A-Z_]{2,}")


@dataclass
class Shape:
    """What values at one place look like. `columns` are the places of a row of mixed scalars, such as a candle."""

    types: set[str] = field(default_factory=set)
    fields: dict[str, "Shape"] = field(default_factory=dict)
    items: "Shape | None" = None
    columns: list["Shape"] = field(default_factory=list)


def kind_of(value: Any) -> str:
    """The JSON type."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    return "string" if isinstance(value, str) else "number"


def learn(shape: Shape, value: Any) -> Shape:
    """The shape widened by one more value."""
    shape.types.add(kind_of(value))
    if isinstance(value, dict):
        for name, inner in value.items():
            learn(shape.fields.setdefault(name, Shape()), inner)
    elif isinstance(value, list):
        if len({kind_of(each) for each in value} - {"object", "array"}) > 1:
            shape.columns += [Shape() for _ in range(len(value) - len(shape.columns))]
            for column, inner in zip(shape.columns, value, strict=False):
                learn(column, inner)
        for inner in value if not shape.columns else ():
            shape.items = learn(shape.items or Shape(), inner)
    return shape


def lacking(ours: Shape | None, theirs: Shape, path: str = "") -> list[tuple[str, str]]:
    """(place, what) for everything of theirs that ours has not; null and an empty object ask for nothing."""
    if ours is None:
        return [(path, "missing")] if theirs.types - {"null"} else []
    found: list[tuple[str, str]] = []
    other = theirs.types - ours.types - {"null"}
    if other:
        found.append((path, f"type {'|'.join(sorted(other))}, ours {'|'.join(sorted(ours.types))}"))
    for name, inner in theirs.fields.items():
        found += lacking(ours.fields.get(name), inner, f"{path}.{name}" if path else name)
    if theirs.items is not None and (theirs.items.fields or theirs.items.types - {"object"}) and not ours.columns:
        found += lacking(ours.items, theirs.items, f"{path}[]")
    for number, column in enumerate(theirs.columns):
        found += lacking(ours.columns[number] if number < len(ours.columns) else None, column, f"{path}[{number}]")
    return found


def words(value: Any, name: str = "") -> set[tuple[str, str]]:
    """(field, word) of every value that looks like a member of an enumeration."""
    if isinstance(value, dict):
        return {pair for key, inner in value.items() for pair in words(inner, key)}
    if isinstance(value, list):
        return {pair for inner in value for pair in words(inner, name)}
    return {(name, value)} if isinstance(value, str) and _WORD.fullmatch(value) else set()
