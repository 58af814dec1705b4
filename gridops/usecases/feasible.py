"""Can this configuration trade these instruments at all? Asked before anything is sent."""

from collections.abc import Iterable

from gridops.config import Settings
from gridops.domain.instrument import Instrument
from gridops.errors import ConfigError


def check(settings: Settings, instruments: Iterable[Instrument]) -> None:
    """ConfigError with the feasible interval when a rung cannot satisfy the venue's minimum and our own caps."""
    for instrument in instruments:
        low = instrument.min_notional
        high = min(settings.risk.symbol_cap, settings.risk.max_order_notional)
        interval = f"feasible notional of a rung on {instrument.symbol}: {low} to {high} {instrument.settle_asset}"
        if high < low:
            key = "symbol_cap" if settings.risk.symbol_cap < low else "max_order_notional"
            value = getattr(settings.risk, key)
            raise ConfigError(
                f"risk.{key} = {value} is refused: below the venue's minimum notional {low} of {instrument.symbol}",
                hint=f"allowed: at least {low}",
            )
        fixed = settings.grid.rung_notional
        if fixed and not low <= fixed <= high:
            raise ConfigError(f"grid.rung_notional = {fixed} is refused", hint=interval)


def check_symbols(instruments: Iterable[Instrument]) -> None:
    """ConfigError when a whitelisted symbol is not trading."""
    for instrument in instruments:
        if not instrument.trading:
            raise ConfigError(
                f"grid.symbols names {instrument.symbol}, which the venue does not trade now",
                hint=f"trading: {', '.join(sorted(i.symbol for i in instruments if i.trading)) or 'none of them'}",
            )
