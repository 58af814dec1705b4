"""What ACTIVE rests on, held against the venue's clock: reads, lease, filters, the market's own times, the clock.

The judge's part that I-16 is made of, besides the silence of the streams, which `judge` sees itself. Fed by
`judge_rows` with what the disk kept, asked at every mark, every leg and every entry into ACTIVE. It never asks what
the engine believes of its feeds: ages are true time less what the venue wrote into its own frames and answers.
"""

import re
from collections.abc import Callable

from gridops.domain import events, records
from gridops.domain.rules import HealthRules
from gridops.domain.vocabulary import FsmState, QueryKind
from gridops.sim.violation import Verdicts

OPENING = (FsmState.ACTIVE, FsmState.THROTTLED)
"""States that may raise risk."""
LEAVE_MS = 2_000
"""From the moment a loss should have been noticed to the state that is left for it, seen at a mark."""
HELD_BACK_MS = 5_000
"""So long a machine may keep a row that nobody had to wait for, and the judge does not hear of it."""
LOOK_MS = 1_500
"""One health look, and a request decided just before."""
READS_MS = 40_000
"""A reconcile counts from the last of its reads, which may come a cadence and a timeout after the first."""
CLOCK_MS = 60_000
"""The clock is measured every 30 s; one measurement may be lost."""
TRUTH = frozenset([QueryKind.OPEN_ORDERS, QueryKind.POSITIONS, QueryKind.TRADES])
"""Reads without which the books are not reconciled."""
_FRAMES_MS = re.compile(rb'"book_event_ms":(\d+).*?"mark_event_ms":(\d+)')
"""The venue's own times in a market view, in the order in which the codec writes them."""


class TrustJudge:
    """Trust of one account in one symbol. Times are true ms unless they say otherwise."""

    def __init__(self, verdicts: Verdicts, now_ms: Callable[[], int]) -> None:
        self._say, self._now_ms = verdicts.broken, now_ms
        self.checks = 0
        self.view = b""
        """The newest market view the disk has, as its row holds it: looked into when somebody asks."""
        self.stamps_wrong_ms: Callable[[], int | None] = lambda: None
        """Since when requests have been stamped off the venue's clock."""
        self._rules = HealthRules()
        self._answered: dict[QueryKind, int] = {}
        """Reads that answered since the run began or the user stream came back from an outage that counts."""
        self._oldest_ms: int | None = None
        """When the oldest of the newest answers came; None while one is missing."""
        self._user_up = False
        self._down_ns = 0
        """Boot time at which the user stream went down; 0 = it was never up in this run."""
        self._lease_held = True
        self._filters_ms = 0
        self._offset_ms: int | None = None
        self._jump_ms = 0
        """How far the newest measurement of the clock was from the one before, which the run had gone by."""
        self._lost_ms: int | None = None

    # What the disk says.

    def booted(self, boot: events.Boot) -> None:
        """A run begins, with filters read for it and nothing else."""
        self._rules = boot.rules.health
        self._answered.clear()
        self._oldest_ms = None
        self._user_up, self._down_ns, self._lease_held = False, 0, True
        self._filters_ms, self._offset_ms, self._jump_ms = self._now_ms(), None, 0
        self._lost_ms = None

    def heard(self, up: bool, boot_ns: int) -> None:
        """The user stream. Reads are older than a silence that costs trust; a shorter one is made good by the next."""
        outage_ns = self._rules.user_stale_ms * 1_000_000
        if up and not self._user_up and (not self._down_ns or boot_ns - self._down_ns >= outage_ns):
            self._answered.clear()
            self._oldest_ms = None
        if self._user_up and not up:
            self._down_ns = boot_ns
        self._user_up = up

    def lease(self, held: bool) -> None:
        """The lease was looked at."""
        self._lease_held = held

    def answered(self, reply: events.QueryReply) -> None:
        """A read succeeded."""
        self._answered[reply.kind] = self._now_ms()
        if self._answered.keys() >= TRUTH:
            self._oldest_ms = min(self._answered[kind] for kind in TRUTH)
        if reply.kind is QueryKind.RULES and reply.instruments:
            self._filters_ms = self._now_ms()
        elif reply.kind is QueryKind.TIME:
            known, self._offset_ms = self._offset_ms, reply.clock_offset_ms
            self._jump_ms = 0 if known is None else abs(reply.clock_offset_ms - known)

    def entered(self, move: records.Transition, header: events.Header) -> None:
        """ACTIVE begins; `header` is of that row, whose disk may be slow."""
        self.checks += 1
        lost = self._unread() or self._lost(header.venue_ms, self._now_ms())
        if lost:
            self._say("I-16", f"{move.from_state} -> ACTIVE: {lost}")

    # What is asked.

    def at_mark(self, state: FsmState, hindered: bool) -> None:
        """A state that may raise risk is left in time once anything it rests on is lost."""
        self.checks += 1
        now_ms = self._now_ms()
        lost = "" if hindered or state not in OPENING else self._unread() or self._lost(now_ms, now_ms)
        if not lost:
            self._lost_ms = None
        elif self._lost_ms is None:
            self._lost_ms = now_ms
        elif now_ms - self._lost_ms > LEAVE_MS + HELD_BACK_MS:
            self._say("I-16", f"{state} for {now_ms - self._lost_ms} ms since {lost}")

    def leaving(self, kind: str) -> None:
        """A leg that raises risk leaves now."""
        self.checks += 1
        now_ms = self._now_ms()
        lost = self._lost(now_ms, now_ms)
        if lost:
            self._say("I-16", f"{kind} leaves: {lost}")

    # Parts.

    def _unread(self) -> str:
        """What of the account was never read since the run began or the user stream came back."""
        if self._oldest_ms is not None:
            return ""
        return f"no answer to {sorted(TRUTH - self._answered.keys())} since the run began or the user stream changed"

    def _lost(self, at_ms: int, now_ms: int) -> str:
        """The first thing that is lost, empty when nothing is. Ages of frames are counted to `at_ms`."""
        rules = self._rules
        if not self._lease_held:
            return "the lease is not held"
        if self._offset_ms is None:
            return "the clock was never measured in this run"
        if self._jump_ms >= rules.clock_skew_ms:
            return f"the clock was found {self._jump_ms} ms off"
        wrong_ms = self.stamps_wrong_ms()
        if wrong_ms is not None and now_ms - wrong_ms > CLOCK_MS:
            return f"requests have been stamped wrong for {now_ms - wrong_ms} ms"
        if now_ms - self._filters_ms > rules.filters_stale_ms + LOOK_MS:
            return f"the filters are {now_ms - self._filters_ms} ms old"
        read_ms = self._oldest_ms
        if read_ms is not None and now_ms - read_ms > rules.sync_stale_ms + READS_MS:
            return f"a read of the account is {now_ms - read_ms} ms old"
        return self._old_market(at_ms)

    def _old_market(self, at_ms: int) -> str:
        """Which frame of the market is older, by the venue's own time in it, than its limit."""
        rules, said = self._rules, _FRAMES_MS.search(self.view)
        book_ms, mark_ms = (int(said[1]), int(said[2])) if said is not None else (0, 0)
        if at_ms - book_ms > rules.feed_stale_ms + LOOK_MS:
            return f"the book is of {at_ms - book_ms} ms ago by the venue's time"
        if at_ms - mark_ms > rules.mark_stale_ms + LOOK_MS:
            return f"the mark price is of {at_ms - mark_ms} ms ago by the venue's time"
        return ""
