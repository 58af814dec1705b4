"""What a journal and the settings must agree on before a run begins: its symbols, and the meaning of its integers.

Asked before anything is sent. A difference is the operator's to solve; nothing of it is guessed.
"""

from collections.abc import Iterable

from gridops.config import Settings
from gridops.domain.instrument import Instrument
from gridops.errors import ConfigError
from gridops.runtime.state import EngineState


def check_whitelist(settings: Settings, state: EngineState) -> None:
    """ConfigError when the journal holds orders or a position of a symbol that is no longer whitelisted.

    Nobody would watch them: no read, no stream and no cancel would name the symbol.
    """
    for name, symbol in sorted(state.symbols.items()):
        if name in settings.grid.symbols or not (symbol.orders or symbol.position_lots):
            continue
        held = f"{len(symbol.orders)} orders and {symbol.position_lots} lots"
        raise ConfigError(
            f"grid.symbols no longer names {name}, of which the journal still holds {held}",
            hint=f"put {name} back and stop once with --stop-mode flatten, or `gridops kill --direct`; then remove it",
        )


def check_rules(instruments: Iterable[Instrument], state: EngineState) -> None:
    """ConfigError when the venue's tick or step of a symbol is not the one the journal counts in.

    Prices and quantities of the journal are whole ticks and lots: under another size they would be other amounts.
    """
    for fresh in instruments:
        symbol = state.symbols.get(fresh.symbol)
        if symbol is None:
            continue
        known = symbol.instrument
        for name, ours, theirs in (
            ("tick size", known.tick_size, fresh.tick_size),
            ("step size", known.step_size, fresh.step_size),
        ):
            if ours != theirs:
                raise ConfigError(
                    f"the {name} of {fresh.symbol} is {theirs} at the venue, the journal counts in {ours}",
                    hint="close what it holds (`gridops kill --direct`), then begin anew: `gridops run --fresh`",
                )
