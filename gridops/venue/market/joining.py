"""Which recording files make one market, and in what order: checks named files, finds an unnamed predecessor.

Sits under the recorded source. It refuses files out of order or too far apart, and prefers a partial book with a
warning to a guess about files that do not chain.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from gridops.domain.values import record
from gridops.errors import RecordingError
from gridops.venue.market.profile import Profile, has_tickers, profile
from gridops.venue.market.quarantine import Quarantine
from gridops.venue.market.screen import LATE_MS

HOLE_LIMIT_MS = 3_600_000
_CHAIN_LIMIT = 8
_SUFFIXES = (".jsonl_ts.gz", ".jsonl.gz", ".jsonl_ts", ".jsonl")


@record
class Reel:
    """Files of one set of symbols in order. Events before `from_ms` only build the book."""

    profiles: tuple[Profile, ...]
    from_ms: int
    partial: frozenset[str]
    """Symbols whose book has to be warmed up without snapshot."""


def reels(paths: Sequence[Path], quarantine: Quarantine) -> list[Reel]:
    """Group named files by symbols, in the order given, each group with its predecessors."""
    groups: dict[tuple[str, ...], list[Profile]] = {}
    for path in paths:
        seen = profile(path)
        groups.setdefault(seen.symbols, []).append(seen)
    _refuse_shared_symbols(groups)
    return [_reel(profiles, quarantine) for profiles in groups.values()]


def _refuse_shared_symbols(groups: dict[tuple[str, ...], list[Profile]]) -> None:
    owner: dict[str, Path] = {}
    for symbols, profiles in groups.items():
        for symbol in symbols:
            if symbol in owner:
                raise RecordingError(f"{profiles[0].path}: {symbol} is also in {owner[symbol]}, with other symbols")
            owner[symbol] = profiles[0].path


def _reel(profiles: list[Profile], quarantine: Quarantine) -> Reel:
    for earlier, later in pairwise(profiles):
        _check_order(earlier, later, quarantine)
    first = profiles[0]
    before = _predecessors(first, quarantine)
    missing = frozenset(first.symbols) - (before[0] if before else first).with_snapshot
    for symbol in sorted(missing):
        if not has_tickers(first.path, symbol):
            raise RecordingError(
                f"{first.path}: the book of {symbol} cannot be built: no depth snapshot, predecessor or bookTicker"
            )
        quarantine.note(f"{first.path}: no depth snapshot and no predecessor; the book of {symbol} is partial")
    start_ms = first.first_ms if before else 0
    return Reel(profiles=(*before, *profiles), from_ms=start_ms, partial=missing)


def _check_order(earlier: Profile, later: Profile, quarantine: Quarantine) -> None:
    hole_ms = later.first_ms - earlier.last_ms
    if hole_ms < -LATE_MS:
        raise RecordingError(
            f"{later.path}: starts {-hole_ms} ms before {earlier.path} ends", hint="name the files in order of time"
        )
    if hole_ms > HOLE_LIMIT_MS:
        raise RecordingError(f"{later.path}: starts {hole_ms} ms after {earlier.path} ends: not one market")
    for symbol in later.symbols:
        if earlier.last_u[symbol] == later.first_pu[symbol]:
            continue
        if symbol not in later.with_snapshot:
            raise RecordingError(
                f"{later.path}: gap in the depth chain of {symbol}: does not follow {earlier.path} and has no snapshot"
            )
        quarantine.note(f"{later.path}: a new recording of {symbol}, {hole_ms} ms after the last; the book starts anew")


def _predecessors(first: Profile, quarantine: Quarantine) -> tuple[Profile, ...]:
    """Files that lead from a snapshot to `first`, oldest first; empty when it needs none or none is found."""
    chain: list[Profile] = []
    current = first
    while not current.with_snapshot and len(chain) < _CHAIN_LIMIT:
        candidate = _previous_file(current.path)
        earlier = _profiled(candidate, quarantine) if candidate else None
        if earlier is None or earlier.symbols != current.symbols or not _follows(earlier, current):
            return ()
        chain.insert(0, earlier)
        current = earlier
    return tuple(chain) if current.with_snapshot else ()


def _follows(earlier: Profile, later: Profile) -> bool:
    return all(earlier.last_u[symbol] == later.first_pu[symbol] for symbol in later.symbols)


def _profiled(path: Path, quarantine: Quarantine) -> Profile | None:
    try:
        return profile(path)
    except RecordingError as error:
        quarantine.note(f"predecessor unusable: {error}")
        return None


def _previous_file(path: Path) -> Path | None:
    """The file just before in the same folder: same symbol, same kind, the next smaller day in its name."""
    suffix = next((suffix for suffix in _SUFFIXES if path.name.endswith(suffix)), path.suffix)
    symbol = _symbol_of(path, suffix)
    if not symbol:
        return None
    siblings = path.parent.glob("*" + suffix)
    days = sorted(other for other in siblings if _symbol_of(other, suffix) == symbol and other.name < path.name)
    return days[-1] if days else None


def _symbol_of(path: Path, suffix: str) -> str:
    return path.name.removesuffix(suffix).rpartition("_")[0]
