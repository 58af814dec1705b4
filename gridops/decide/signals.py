"""Signals an operator may set by hand, to try out what a detector would do: names, bounds, and who may.

The same slot that a detector's own signal takes. It stores nothing and draws no conclusion from a value.
"""

from collections.abc import Mapping

from gridops.domain.market import Signal

TOXICITY, LOSS_STREAK, MAINTENANCE = "toxicity", "loss_streak", "maintenance"
BOUNDS: Mapping[str, tuple[int, int]] = {TOXICITY: (0, 3_000), LOSS_STREAK: (0, 1), MAINTENANCE: (0, 1)}
"""Name -> lowest and highest value: toxicity 0..3 scaled by 1,000, the others off and on."""
MAX_TTL_MS = 86_400_000


def refusal(signal: Signal | None, *, live: bool, allowed_live: bool) -> str:
    """Why a signal of an operator is not taken; empty when it is."""
    if signal is None:
        return "the request carries no signal"
    if signal.name not in BOUNDS:
        return f"{signal.name[:40]!r} is no signal: one of {', '.join(BOUNDS)}"
    low, high = BOUNDS[signal.name]
    if not low <= signal.scaled <= high:
        return f"{signal.name} = {signal.scaled} is outside {low}..{high}"
    if not 0 < signal.ttl_ms <= MAX_TTL_MS:
        return f"a lifetime of {signal.ttl_ms} ms is outside 1..{MAX_TTL_MS}"
    if live and not allowed_live:
        return "test signals are refused in live mode; health.signals_live = true in the configuration allows them"
    return ""
