"""What a venue process is started with, and how that travels over a command line.

Sits under process and handle. Values are checked here, before anything is opened.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from gridops.domain.values import record
from gridops.errors import ConfigError

IDLE_EXIT_S = 900
"""Fifteen minutes without a client end a venue that nobody stopped."""
MAX_SPEED = Decimal(100_000)
CLOCKS = ("real", "manual")
FIDELITY = ("legacy-replies", "no-trade-lite", "older-conditionals", "reply-first", "either-first")
"""Switches away from today's venue: full order replies, no TRADE_LITE, stop orders on the order route, and the reply
before the event it causes (or either first, by the seed)."""


@record
class VenueOptions:
    """One venue process. `speed` scales the market only; `from_ms` is UTC milliseconds of market time.

    `hold` keeps the market at its first moment until a client listens to a public stream.
    """

    store: Path
    market: str = "synthetic:1"
    port: int = 0
    speed: Decimal = Decimal(1)
    from_ms: int | None = None
    loop: bool = False
    seed: int = 1
    idle_exit_s: int = IDLE_EXIT_S
    clock: str = "real"
    faults: Path | None = None
    wallet: Decimal = Decimal(10_000)
    hold: bool = False
    fidelity: tuple[str, ...] = ()


def as_arguments(options: VenueOptions) -> list[str]:
    """The command line that `parse` reads back."""
    words = [
        "--store", str(options.store), "--market", options.market, "--port", str(options.port),
        "--speed", str(options.speed), "--seed", str(options.seed), "--idle-exit-s", str(options.idle_exit_s),
        "--clock", options.clock, "--wallet", str(options.wallet),
    ]  # fmt: skip
    if options.from_ms is not None:
        words += ["--from", str(options.from_ms)]
    if options.faults is not None:
        words += ["--faults", str(options.faults)]
    for switch in options.fidelity:
        words += ["--fidelity", switch]
    return words + ["--loop"] * options.loop + ["--hold"] * options.hold


def parse(words: Sequence[str]) -> VenueOptions:
    """Options of a command line; raises ConfigError, or SystemExit as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m gridops.venue.process", description="Run the venue emulator.")
    parser.add_argument("--store", type=Path, required=True, help="folder of the account; made when absent")
    parser.add_argument("--market", default="synthetic:1", help="synthetic:SEED[:REGIME] or recorded:PATH[,PATH...]")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--speed", default="1", help="market speed; clocks of the protocol stay real")
    parser.add_argument("--from", dest="start", help="market time to start at: UTC ISO time or milliseconds")
    parser.add_argument("--loop", action="store_true", help="repeat a recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--idle-exit-s", type=int, default=IDLE_EXIT_S)
    parser.add_argument("--clock", choices=CLOCKS, default="real")
    parser.add_argument("--faults", type=Path, help="TOML file with [[fault]] tables")
    parser.add_argument("--wallet", default="10000", help="USDT of a new account")
    parser.add_argument("--hold", action="store_true", help="the market waits for its first listener")
    parser.add_argument("--fidelity", action="append", choices=FIDELITY, default=[], help="may be given repeatedly")
    given = parser.parse_args(words)
    return checked(
        VenueOptions(
            store=given.store, market=given.market, port=given.port, speed=_decimal("speed", given.speed),
            from_ms=None if given.start is None else market_time_ms(given.start), loop=given.loop, seed=given.seed,
            idle_exit_s=given.idle_exit_s, clock=given.clock, faults=given.faults,
            wallet=_decimal("wallet", given.wallet), hold=given.hold,
            fidelity=tuple(given.fidelity),
        )
    )  # fmt: skip


def checked(options: VenueOptions) -> VenueOptions:
    """The same options, or ConfigError naming the value and its range."""
    if not Decimal("0.001") <= options.speed <= MAX_SPEED:
        raise ConfigError(f"speed {options.speed} is outside 0.001 to {MAX_SPEED}")
    if not 0 <= options.port <= 65_535:
        raise ConfigError(f"port {options.port} is outside 0 to 65535")
    if options.idle_exit_s <= 0:
        raise ConfigError(f"idle exit of {options.idle_exit_s} s: give at least 1 s")
    if not Decimal(0) <= options.wallet <= Decimal(10) ** 12:
        raise ConfigError(f"wallet {options.wallet} is outside 0 to 1e12 USDT")
    unknown = set(options.fidelity) - set(FIDELITY)
    if unknown:
        raise ConfigError(f"fidelity {', '.join(sorted(unknown))} is none of {', '.join(FIDELITY)}")
    if options.clock not in CLOCKS:
        raise ConfigError(f"clock {options.clock!r} is none of {', '.join(CLOCKS)}")
    return options


def market_time_ms(text: str) -> int:
    """UTC milliseconds of an ISO time (UTC when it names no zone) or of plain milliseconds; raises ConfigError."""
    if text.isdecimal() and text.isascii():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"market time {text!r} is neither an ISO time nor milliseconds") from error
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1_000)


def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"{name} {text!r} is no number") from error
    if not number.is_finite():
        raise ConfigError(f"{name} {text!r} is not finite")
    return number
