"""The text of a first `gridops.toml`: every line of it says why the value is what it is. Reads and writes nothing."""

from decimal import Decimal

from gridops.domain.values import record


@record
class Wish:
    """What was asked for and what was chosen. Money in the settlement asset."""

    symbol: str
    settle: str
    venue: str
    market: str
    equity: Decimal
    mark: Decimal
    levels: int
    spacing_bps: Decimal
    rung_fraction: Decimal
    rung_low: Decimal
    rung: Decimal
    rung_high: Decimal
    max_order: Decimal


def text(wish: Wish) -> str:
    """Valid TOML, UTF-8, ending in a newline. The live account's locks stay closed."""
    head = (
        f"# Written by `gridops init` for {wish.symbol} and an equity of {wish.equity} {wish.settle}.",
        "# An option beats the environment (GRIDOPS_GRID__LEVELS=5), which beats this file, which beats the default.",
        "# `gridops config check` refuses what is unknown or out of range; `gridops config diff` shows what changed.",
    )
    parts = [_section("account", _account(wish)), _section("venue", _venue(wish)), _section("grid", _grid(wish))]
    parts += [_section("risk", _risk(wish)), _section("operations", _OPERATIONS)]
    return "\n\n".join(["\n".join(head), *parts]) + "\n"


_Line = tuple[str, str, str]
"""Key, value as TOML writes it, and why it is so."""

_OPERATIONS: tuple[_Line, ...] = (
    ("stop_mode", '"cancel"', "what a stop does with the orders; positions stay. Also: leave, reduce, flatten"),
    ("deadman", "true", "the venue cancels our orders if the engine falls silent"),
)


def _section(name: str, lines: tuple[_Line, ...]) -> str:
    settings = [f"{key} = {value}" for key, value, _ in lines]
    width = max(len(each) for each in settings)
    told = [f"{each:{width}}  # {why}" for each, (_, _, why) in zip(settings, lines, strict=True)]
    return "\n".join([f"[{name}]", *told])


def _account(wish: Wish) -> tuple[_Line, ...]:
    if wish.venue != "binance":
        return (("name", '"paper"', "names the journal and the lease"),)
    return (
        ("name", '"main"', "names the journal and the lease"),
        ("mode", '"paper"', '"live" is the first of three locks; the fingerprint and --armed are the others'),
        ("fingerprint", '""', "what `gridops doctor --fingerprint` prints for the account you mean"),
    )


def _venue(wish: Wish) -> tuple[_Line, ...]:
    if wish.venue == "binance":
        return (("url", '"binance"', "the real venue"),)
    return (
        ("url", '"paper"', 'our own emulator; "binance" is the real venue'),
        ("market", f'"{wish.market}"', "what the emulator trades: synthetic:SEED or recorded:PATH"),
        ("wallet", f"{wish.equity}", "opening wallet of a fresh paper account"),
    )


def _grid(wish: Wish) -> tuple[_Line, ...]:
    feasible = f"feasible {wish.rung_low} to {wish.rung_high} at {wish.mark:.2f}"
    return (
        ("symbols", f'["{wish.symbol}"]', "the whitelist: nothing else is traded"),
        ("levels", f"{wish.levels}", "rungs on each side"),
        ("spacing_bps", f"{wish.spacing_bps}", "distance of rungs; a round trip costs 4 bps at regular maker fees"),
        ("rung_fraction", f"{wish.rung_fraction}", f"of equity: about {wish.rung} {wish.settle} a rung; {feasible}"),
    )


def _risk(wish: Wish) -> tuple[_Line, ...]:
    return (
        ("symbol_cap", f"{wish.equity}", "worst-case exposure: the position and every order that may still fill"),
        ("account_cap", f"{wish.equity}", "the same over all symbols"),
        ("max_order_notional", f"{wish.max_order}", "of one order"),
        ("max_drawdown", "0.05", "a part of one, from the peak: EMERGENCY, which flattens and latches"),
        ("daily_drawdown", "0.03", "within a UTC day: PAUSED"),
    )
