"""Typed reading of call parameters, refusing them in the venue's words. It knows no route."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.units import decimal_of

Params = Mapping[str, Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z", re.ASCII)


def text(params: Params, name: str) -> str | None:
    """The value as text; None when absent or empty."""
    value = params.get(name)
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise malformed(name)


def malformed(name: str) -> VenueError:
    """-1102: the mandatory parameter is missing, empty or not of its type."""
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def need(params: Params, name: str) -> str:
    """The value as text, or -1102."""
    value = params.get(name)
    if isinstance(value, str) and value:
        return value
    value = text(params, name)
    if value is None:
        raise malformed(name)
    return value


def integer(params: Params, name: str) -> int | None:
    """A whole number, None when absent, -1102 when it is not one."""
    value = text(params, name)
    if value is None:
        return None
    if _INTEGER.match(value) is None:
        raise malformed(name)
    return int(value)


def bounded(params: Params, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`; more is cut, less is -1130."""
    value = integer(params, name)
    if value is None:
        return default
    if value < 1:
        raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return min(value, most)


def flag(params: Params, name: str) -> bool | None:
    """true or false in any case; None when absent."""
    value = text(params, name)
    if value is None:
        return None
    lowered = value.lower()
    if lowered not in ("true", "false"):
        raise malformed(name)
    return lowered == "true"


def number(params: Params, name: str) -> Decimal:
    """A mandatory finite decimal, or -1102."""
    amount = decimal_of(need(params, name))
    if amount is None:
        raise malformed(name)
    return amount


def choice(params: Params, name: str, allowed: tuple[str, ...], default: str, error: VenueError | None = None) -> str:
    """One of a closed set of words, else the given refusal or -1102."""
    value = text(params, name)
    if value is None:
        return default
    if value not in allowed:
        raise error or malformed(name)
    return value
