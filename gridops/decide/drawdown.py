"""The drawdown guard: peak and sample of one equity series, confirmed before it latches.

Equity is wallet + unrealised from the venue in micro-units of the settlement asset, corrected for transfers; a breach
must show at several distinct mark prices and in one venue read. Pure over a small memory. A missing sample says nothing
here: a stale mark is lost trust, never "no drawdown".
"""

from dataclasses import dataclass, replace

from gridops.domain.rules import RiskRules

DAY_MS = 86_400_000


@dataclass(slots=True)
class DrawdownMemory:
    baseline: int | None = None
    """Highest equity since the last re-basing; None before the first venue read."""
    day: int = -1
    """UTC day number of `day_open`."""
    day_open: int = 0
    last: int = 0
    """Newest sample."""
    last_mark_ms: int = 0
    """Event time of the mark behind it: only a newer one is an independent sample."""
    breaches: int = 0
    """Independent samples in a row below the limit."""
    suspected_ms: int = 0
    """When the first of them was taken, on the boot clock."""
    agreed: bool = False
    """A venue read started since then shows the breach too."""
    latched: bool = False
    daily_breaches: int = 0
    daily_latched: bool = False


def sample(
    memory: DrawdownMemory, equity: int, *, mark_event_ms: int, now_ms: int, wall_ms: int, rules: RiskRules
) -> DrawdownMemory:
    """Judge one sample, taken at 1 Hz with a fresh mark. One that repeats the last mark counts for nothing."""
    if mark_event_ms <= memory.last_mark_ms:
        return memory
    after = _copy(_opened(memory, equity, wall_ms))
    after.last, after.last_mark_ms = equity, mark_event_ms
    assert after.baseline is not None
    after.baseline = max(after.baseline, equity)
    if _below(after.baseline, equity, rules.max_drawdown_bps):
        after.suspected_ms = after.suspected_ms if after.breaches else now_ms
        after.breaches += 1
    else:
        after.breaches, after.agreed = 0, False
    after.daily_breaches = after.daily_breaches + 1 if _below(after.day_open, equity, rules.daily_drawdown_bps) else 0
    after.daily_latched = after.daily_latched or after.daily_breaches >= rules.drawdown_samples
    return _latch(after, rules)


def venue_read(
    memory: DrawdownMemory, equity: int, *, started_ms: int, wall_ms: int, rules: RiskRules
) -> DrawdownMemory:
    """Judge by the venue's own figures. A read that disagrees ends the suspicion: the next breach asks again."""
    after = _opened(memory, equity, wall_ms)
    if not after.breaches or started_ms < after.suspected_ms:
        return after
    assert after.baseline is not None
    if not _below(after.baseline, equity, rules.max_drawdown_bps):
        return replace(after, breaches=0, agreed=False)
    return _latch(replace(after, agreed=True), rules)


def transfer(memory: DrawdownMemory, amount: int) -> DrawdownMemory:
    """Money that came (or went, negative) is neither gain nor loss."""
    if memory.baseline is None:
        return memory
    return replace(
        memory,
        baseline=memory.baseline + amount,
        day_open=memory.day_open + amount,
        last=memory.last + amount,
    )


def roll_day(memory: DrawdownMemory, wall_ms: int) -> DrawdownMemory:
    """Begin the UTC day of `wall_ms` at the newest sample; the daily level ends with its day."""
    if memory.baseline is None or wall_ms // DAY_MS <= memory.day:
        return memory
    return replace(memory, day=wall_ms // DAY_MS, day_open=memory.last, daily_breaches=0, daily_latched=False)


def rebase(memory: DrawdownMemory) -> DrawdownMemory:
    """After an operator's ack: the newest sample is the new baseline. A daily level goes on until its day rolls."""
    if memory.baseline is None:
        return memory
    return replace(memory, baseline=memory.last, breaches=0, agreed=False, latched=False)


def wants_read(memory: DrawdownMemory) -> bool:
    """A breach is suspected and no venue read has spoken yet: ask at once."""
    return memory.breaches > 0 and not memory.agreed and not memory.latched


def active(memory: DrawdownMemory) -> bool:
    """No increase may leave: a breach is suspected or latched, or the day's limit is reached."""
    return memory.latched or memory.breaches > 0 or memory.daily_latched


def shown_by(memory: DrawdownMemory, equity: int, rules: RiskRules) -> bool:
    """Does one figure of the venue's lie below a limit? For who writes nothing then and cannot wait for samples."""
    if memory.baseline is None:
        return False
    low = _below(memory.baseline, equity, rules.max_drawdown_bps)
    return low or _below(memory.day_open, equity, rules.daily_drawdown_bps)


def drawdown_bps(memory: DrawdownMemory) -> int:
    """Loss from the baseline, in 1/10,000 of it."""
    return _bps(memory.baseline or 0, memory.last)


def daily_bps(memory: DrawdownMemory) -> int:
    return _bps(memory.day_open, memory.last)


def day_ends_wall_ms(wall_ms: int) -> int:
    return (wall_ms // DAY_MS + 1) * DAY_MS


def _copy(memory: DrawdownMemory) -> DrawdownMemory:
    """Once a second, and `replace` takes seven times as long."""
    return DrawdownMemory(
        memory.baseline,
        memory.day,
        memory.day_open,
        memory.last,
        memory.last_mark_ms,
        memory.breaches,
        memory.suspected_ms,
        memory.agreed,
        memory.latched,
        memory.daily_breaches,
        memory.daily_latched,
    )


def _opened(memory: DrawdownMemory, equity: int, wall_ms: int) -> DrawdownMemory:
    if memory.baseline is None:
        return replace(memory, baseline=equity, day=wall_ms // DAY_MS, day_open=equity, last=equity)
    return roll_day(memory, wall_ms)


def _below(base: int, equity: int, limit_bps: int) -> bool:
    """Exact: compares products, never a rounded quotient. Without any equity left every limit is passed."""
    return equity <= 0 or (base - equity) * 10_000 >= limit_bps * base


def _bps(base: int, equity: int) -> int:
    return max(0, (base - equity) * 10_000 // base) if base > 0 else 0


def _latch(memory: DrawdownMemory, rules: RiskRules) -> DrawdownMemory:
    if memory.agreed and memory.breaches >= rules.drawdown_samples:
        memory.latched = True
    return memory
