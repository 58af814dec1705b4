"""What each lifecycle state lets through, as data: one grant per state and intent.

Read by the gates, the outbox and the screens. It decides no state and knows no figure; a grant that depends on one
names what it depends on.
"""

from enum import StrEnum

from gridops.domain.values import value
from gridops.domain.vocabulary import FsmState, Intent


class Grant(StrEnum):
    NO = "no"
    YES = "yes"
    WITHIN_CAPS = "within_caps"
    """Increase: only within the throttle caps."""
    FRESH_READ = "fresh_read"
    """Reduce: only against a venue position read younger than its limit."""
    NAMED_BY_READ = "named_by_read"
    """Cancel: only own orders that a venue read of this boot has named."""
    STOP_MODE = "stop_mode"
    """Reduce: when the stop mode is reduce or flatten."""


@value
class Permission:
    increase: Grant
    reduce: Grant
    cancel: Grant

    def of(self, intent: Intent) -> Grant:
        if intent is Intent.INCREASE:
            return self.increase
        return self.reduce if intent is Intent.REDUCE else self.cancel


PERMISSIONS: dict[FsmState, Permission] = {
    FsmState.INIT: Permission(Grant.NO, Grant.NO, Grant.NAMED_BY_READ),
    FsmState.READY: Permission(Grant.NO, Grant.YES, Grant.YES),
    FsmState.ACTIVE: Permission(Grant.YES, Grant.YES, Grant.YES),
    FsmState.THROTTLED: Permission(Grant.WITHIN_CAPS, Grant.YES, Grant.YES),
    FsmState.PAUSED: Permission(Grant.NO, Grant.YES, Grant.YES),
    FsmState.DEGRADED: Permission(Grant.NO, Grant.FRESH_READ, Grant.YES),
    FsmState.EMERGENCY: Permission(Grant.NO, Grant.YES, Grant.YES),
    FsmState.STOPPING: Permission(Grant.NO, Grant.STOP_MODE, Grant.YES),
}
