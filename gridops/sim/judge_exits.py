"""What an exit promises on its way: no more than is held, told when it is stuck, flat by a read of afterwards only.

The judge's part for reductions, stuck protection and the end of a kill (I-11, I-12, I-14). Fed by `judge` with what the
venue did and what leaves, by `judge_rows` with what the disk kept. A decision may be made by figures that are no longer
true: every one that was true lately or was told last passes. It never asks what the engine believes.
"""

from collections import deque
from collections.abc import Callable, Collection

from gridops.domain import ids
from gridops.domain.vocabulary import FsmState
from gridops.sim.violation import Verdicts

HELD_MS = 60_000
"""A position given up so lately may still be the one that a decision was made by."""
TOLD = 8
"""So many positions, by the newest reads and fills on the disk, may be what was last known, however old."""
ALERT_MS = 10_000
LATE_MS = 8_000
"""From the moment an order should have been named to the row of it: a look, and what a machine may keep for a while."""
SPOKEN_MS = 80_000
"""What lasts is said again each minute."""
_POSITION = ("position_open", "position_unread", "position_blind")
CLOCK_MS = 4_000
"""A read or an end may be stamped by a clock that was set so far off and not measured since."""


class ExitJudge:
    """Exits of one account in one symbol. Times are true ms."""

    def __init__(self, verdicts: Verdicts, now_ms: Callable[[], int]) -> None:
        self._say, self._now_ms = verdicts.broken, now_ms
        self.checks = 0
        self.mute: Callable[[], bool] = lambda: False
        """Can no row come to the disk now, by no fault of the process?"""
        self.barred = False
        """Do the rows say that another instance writes? Then no order of ours is touched, and that is what is told."""
        self._held: deque[tuple[int, int]] = deque()
        """(last moment, lots) of positions given up."""
        self._told: deque[int] = deque(maxlen=TOLD)
        self._stuck: dict[str, int] = {}
        """Own orders at the venue in EMERGENCY, by client id: since when."""
        self._named: set[str] = set()
        self._banned_ms = self._open_ms = -SPOKEN_MS
        """When the newest row said that a ban holds an exit up, and that a position is open still."""
        self.flattens = False
        """Does the emergency that the rows tell of end flat, and not below a cap?"""
        self._held_since_ms: int | None = None
        """In EMERGENCY a position is open: since when."""
        self._asked_ms = self._read_ms = self._ended_ms = 0

    # What the venue did.

    def moved(self, before: int) -> None:
        """A trade ends a position of so many lots."""
        now_ms, held = self._now_ms(), self._held
        held.append((now_ms, before))
        while held[0][0] < now_ms - HELD_MS:
            held.popleft()

    def ended(self) -> None:
        """An own order is at the venue no more."""
        self._ended_ms = self._now_ms()

    def at_mark(self, state: FsmState, resting: Collection[str], position: int) -> None:
        """In EMERGENCY what does not go, order or position, is named in time, or the ban that keeps it is."""
        if state is not FsmState.EMERGENCY or not (resting or position) or self.barred or self.mute():
            self._stuck.clear()
            self._held_since_ms = None
            return
        now_ms = self._now_ms()
        self.checks += 1
        self._still_held(now_ms, position)
        for client_id in [each for each in self._stuck if each not in resting]:
            del self._stuck[client_id]
        for client_id in resting:
            for_ms = now_ms - self._stuck.setdefault(client_id, now_ms)
            told = client_id in self._named or now_ms - self._banned_ms < SPOKEN_MS
            if for_ms > ALERT_MS + LATE_MS and not told:
                self._say("I-11", f"{client_id} rests {for_ms} ms into an emergency and no row names it")

    def _still_held(self, now_ms: int, position: int) -> None:
        known = bool(self._told) and self._told[-1] != 0
        if not position or not known or not self.flattens:
            # What another hand opened while no stream told of it is known by the next read, which comes in its time.
            self._held_since_ms = None
            return
        if self._held_since_ms is None:
            self._held_since_ms = now_ms
        for_ms = now_ms - self._held_since_ms
        if for_ms > ALERT_MS + LATE_MS and now_ms - max(self._banned_ms, self._open_ms) >= SPOKEN_MS:
            self._say("I-11", f"{position} lots are held {for_ms} ms into an emergency and no row says so")

    # What the disk says.

    def booted(self) -> None:
        """What an earlier process read proves nothing to this one."""
        self._read_ms = 0
        self._named.clear()

    def told(self, lots: int) -> None:
        """A row says how much is held."""
        self._told.append(lots)

    def read(self) -> None:
        """A read of the position succeeded."""
        self._read_ms = self._asked_ms

    def noted(self, topic: str, detail: str) -> None:
        """An operator is told something."""
        if topic == "order_unproven":
            self._named.update(word for word in detail.split() if ids.owner(word) is not None)
        elif topic == "exit_banned":
            self._banned_ms = self._now_ms()
        elif topic in _POSITION:
            self._open_ms = self._now_ms()

    def flat(self) -> None:
        """A row says that the venue's own read showed the account flat."""
        self.checks += 1
        if self._read_ms < self._ended_ms - CLOCK_MS:
            early_ms = self._ended_ms - self._read_ms
            self._say("I-14", f"flat by a read that left {early_ms} ms before the last own order ended")

    # What leaves.

    def asked(self, path: str) -> None:
        """A read leaves; the newest one of the position is what an answer may be of."""
        if path.endswith("positionRisk"):
            self._asked_ms = self._now_ms()

    def reducing(self, sign: int, lots: int, position: int) -> None:
        """Reduce-only orders of this side come to so many lots, those that rest included."""
        self.checks += 1
        if lots <= -sign * position:
            return
        figures = [position, *self._told, *(held for _, held in self._held)]
        most = max(0, *(-sign * each for each in figures))
        if lots > most and not self.mute():
            self._say("I-12", f"{lots} lots of reduce-only {'buys' if sign > 0 else 'sells'}, at most {most} were held")
