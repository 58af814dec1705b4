"""Trading rules of the symbols a market source drives: a bundled table, or what a recording's own numbers imply.

Sits beside the sources. Refuses no symbol: one the table does not know gets inferred rules and a warning that says so.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache

import msgspec

from gridops import resources
from gridops.venue.market.events import SymbolSpec

_PLAIN = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?", re.ASCII)
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD")


class _Table(msgspec.Struct):
    symbols: list[SymbolSpec]


@cache
def _table() -> dict[str, SymbolSpec]:
    raw = resources.fixture("market/specs.json").read_bytes()
    return {spec.symbol: spec for spec in msgspec.json.decode(raw, type=_Table).symbols}


def bundled(symbol: str) -> SymbolSpec | None:
    """Rules of a main symbol as exchangeInfo gave them in March 2025, or None when the table lacks it."""
    return _table().get(symbol)


def quote_of(symbol: str) -> str | None:
    """Quote asset of a linear perpetual by its name, or None when the name is not one."""
    return next((quote for quote in _QUOTES if symbol.endswith(quote) and len(symbol) > len(quote)), None)


def rules_for(symbol: str, prices: Iterable[str], quantities: Iterable[str]) -> tuple[SymbolSpec, str | None]:
    """Rules that fit a recording's decimal strings, and a warning when the table could not be used as it is.

    Strings that are no plain positive decimals are ignored here; the screening of rows judges them.
    """
    price_step, quantity_step = _grain(prices), _grain(quantities)
    known = bundled(symbol)
    if known is None:
        return _inferred(symbol, price_step, quantity_step), (
            f"{symbol}: no bundled trading rules; tick {price_step} and step {quantity_step} inferred from its numbers"
        )
    if price_step % known.tick_size == 0 and quantity_step % known.step_size == 0:
        return known, None
    tick, step = min(price_step, known.tick_size), min(quantity_step, known.step_size)
    return _regrained(known, tick, step), (
        f"{symbol}: recorded numbers are finer than the bundled rules; tick {tick} and step {step} taken from them"
    )


def _grain(texts: Iterable[str]) -> Decimal:
    """Largest power of ten, at most 1, that divides every number; the venue's ticks and steps are powers of ten."""
    numbers = [Decimal(text) for text in texts if _PLAIN.fullmatch(text)]
    digits = max((-int(number.as_tuple().exponent) for number in numbers), default=0)
    common = math.gcd(*(int(number.scaleb(digits)) for number in numbers)) or 1
    zeros = len(str(common)) - len(str(common).rstrip("0"))
    return Decimal(1).scaleb(min(zeros, digits) - digits)


def _places(step: Decimal) -> int:
    return max(0, -int(step.as_tuple().exponent))


def _regrained(known: SymbolSpec, tick: Decimal, step: Decimal) -> SymbolSpec:
    fields = {name: getattr(known, name) for name in SymbolSpec.__slots__}  # type: ignore[attr-defined]
    fields.update(
        tick_size=tick,
        step_size=step,
        min_qty=min(known.min_qty, step),
        price_precision=max(known.price_precision, _places(tick)),
        quantity_precision=max(known.quantity_precision, _places(step)),
    )
    return SymbolSpec(**fields)


def _inferred(symbol: str, tick: Decimal, step: Decimal) -> SymbolSpec:
    """Guesses on the lenient side, except the smallest notional: 5 USDT is the venue's usual one."""
    quote = quote_of(symbol) or "USDT"
    return SymbolSpec(
        symbol=symbol,
        base_asset=symbol.removesuffix(quote),
        quote_asset=quote,
        tick_size=tick,
        step_size=step,
        min_price=tick,
        max_price=tick * 10**9,
        min_qty=step,
        max_qty=step * 10**7,
        market_max_qty=step * 10**6,
        min_notional=Decimal(5),
        multiplier_up=Decimal("1.05"),
        multiplier_down=Decimal("0.95"),
        price_precision=_places(tick),
        quantity_precision=_places(step),
    )


class BadNumber(ValueError):
    """A price or quantity string that cannot be an exact positive multiple of its unit; the text says why."""


class Scale(dict[str, int]):
    """Decimal strings to whole units, remembered: `scale["63959.90"]` is 639599 with a unit of 0.1.

    Raises BadNumber on anything but a plain decimal on the unit; zero only where `zero_allowed`.
    """

    _LIMIT = 500_000

    def __init__(self, unit: Decimal, *, zero_allowed: bool) -> None:
        super().__init__()
        self._unit = unit
        self._zero_allowed = zero_allowed

    def __missing__(self, text: str) -> int:
        units = self._parse(text)
        if len(self) >= self._LIMIT:
            self.clear()
        self[text] = units
        return units

    def _parse(self, text: str) -> int:
        if text.startswith("-"):
            raise BadNumber("is negative")
        if not _PLAIN.fullmatch(text):
            raise BadNumber("is not a plain decimal number")
        units, rest = divmod(Decimal(text), self._unit)
        if rest:
            raise BadNumber(f"is not a multiple of {self._unit}")
        if not units and not self._zero_allowed:
            raise BadNumber("is zero")
        return int(units)
