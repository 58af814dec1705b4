"""The dead-man switch of one symbol: when to beat, when to disarm, and when it must be presumed to have fired.

The venue cancels every order of the symbol when the countdown runs out; it knows nothing of our process. Pure over a
small memory; times are ms of the boot clock. It sends nothing, and it never presumes that an unanswered beat arrived.
"""

from dataclasses import dataclass
from enum import StrEnum

from gridops.domain.rules import DeadmanRules

RETRY_MS = 2_000
"""Wait after a beat that failed or stayed unanswered."""
LOST_MS = 15_000
"""No answer comes later than this: a beat without one counts as failed."""


class Beat(StrEnum):
    ARM = "arm"
    DISARM = "disarm"


@dataclass(slots=True)
class DeadmanMemory:
    armed_sent_ms: int | None = None
    """Send time of the last acknowledged beat; None = not armed as far as we know."""
    tried_ms: int | None = None
    """Send time of the last beat or disarm, answered or not."""
    in_flight: bool = False
    maybe_armed: bool = False
    """A beat has been sent and no disarm acknowledged since: the venue may be counting."""
    fired: bool = False
    """Presumed to have fired, and an order that it may have cancelled has not been asked for yet."""


def due(
    memory: DeadmanMemory, *, wanted: bool, lease_held: bool, leave: bool, now_ms: int, rules: DeadmanRules
) -> Beat | None:
    """What to send now. `wanted`: an own order is live or UNKNOWN, or the state means to place some; in every state.

    Disarmed only when every own order is proven terminal, or when a stop leaves orders on purpose. Only the holder of
    the lease may touch it.
    """
    if not rules.enabled or not lease_held or waits(memory, now_ms):
        return None
    if wanted and not leave:
        return Beat.ARM if now_ms >= _next_beat_ms(memory, rules, now_ms) else None
    if not memory.maybe_armed:
        return None
    return Beat.DISARM if _disarm_ms(memory) <= now_ms else None


def sent(memory: DeadmanMemory, beat: Beat, now_ms: int) -> None:
    memory.tried_ms = now_ms
    memory.in_flight = True
    memory.maybe_armed = memory.maybe_armed or beat is Beat.ARM


def waits(memory: DeadmanMemory, now_ms: int) -> bool:
    """Is a beat under way whose answer may still come?"""
    return memory.in_flight and memory.tried_ms is not None and now_ms < memory.tried_ms + LOST_MS


def answered(memory: DeadmanMemory, beat: Beat, *, ok: bool) -> None:
    """The venue's answer, or the knowledge that there will be none (`ok` False).

    The countdown is taken to run from when the beat was handed over, which is never later than when it arrived.
    """
    memory.in_flight = False
    if not ok:
        return
    if beat is Beat.ARM:
        memory.armed_sent_ms = memory.tried_ms
    else:
        memory.armed_sent_ms = memory.tried_ms = None
        memory.maybe_armed = False


def boot(previous: DeadmanMemory) -> DeadmanMemory:
    """Memory for a new process: the venue may still be counting, but nothing of ours is known to be armed."""
    return DeadmanMemory(maybe_armed=previous.maybe_armed, fired=previous.fired)


def presumed_fired(memory: DeadmanMemory, now_ms: int, rules: DeadmanRules) -> bool:
    """More than the countdown less a margin since the last acknowledged beat was sent: its orders count as UNKNOWN."""
    return rules.enabled and memory.armed_sent_ms is not None and now_ms > fires_ms(memory.armed_sent_ms, rules)


def armed(memory: DeadmanMemory, now_ms: int, rules: DeadmanRules) -> bool:
    """Whether an increase may be sent: the venue is known to be counting, or the switch is not used at all."""
    if not rules.enabled:
        return True
    return memory.armed_sent_ms is not None and not presumed_fired(memory, now_ms, rules)


def fires_ms(armed_sent_ms: int, rules: DeadmanRules) -> int:
    return armed_sent_ms + rules.countdown_ms - rules.margin_ms


def next_ms(memory: DeadmanMemory, *, wanted: bool, leave: bool, now_ms: int, rules: DeadmanRules) -> int | None:
    """Earliest time after now at which `due` or `presumed_fired` could answer differently; None = never."""
    if not rules.enabled:
        return None
    times = []
    if memory.armed_sent_ms is not None:
        times.append(fires_ms(memory.armed_sent_ms, rules) + 1)
    if waits(memory, now_ms):
        assert memory.tried_ms is not None
        times.append(memory.tried_ms + LOST_MS)
    elif wanted and not leave:
        times.append(_next_beat_ms(memory, rules, now_ms))
    elif memory.maybe_armed:
        times.append(_disarm_ms(memory))
    return min((time for time in times if time > now_ms), default=None)


def _next_beat_ms(memory: DeadmanMemory, rules: DeadmanRules, now_ms: int) -> int:
    if memory.tried_ms is None:
        return now_ms
    if memory.armed_sent_ms is None or memory.armed_sent_ms < memory.tried_ms:
        return memory.tried_ms + min(RETRY_MS, rules.beat_ms)
    return memory.armed_sent_ms + rules.beat_ms


def _disarm_ms(memory: DeadmanMemory) -> int:
    """At once after a restart or an acknowledged beat, later after an attempt that failed."""
    if memory.tried_ms is None:
        return 0
    return memory.tried_ms if memory.armed_sent_ms == memory.tried_ms else memory.tried_ms + RETRY_MS
