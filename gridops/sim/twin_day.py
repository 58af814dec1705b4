"""Two engines of one account: the lease passes to a new process while the old one lives on, hears and has its sockets.

`Day` with a take-over. The old process loses lease and journal file as when its home was replaced under it: what it
writes goes to a file nobody reads. It may take away its own orders and nothing else; what leaves it is held against
that, whatever it believes.
"""

from collections.abc import Callable
from typing import Any

from gridops.domain import ids
from gridops.sim.day import Day
from gridops.sim.scheduler import MS, SECOND
from gridops.sim.sim_loop import SimProcess


class TwinDay(Day):
    """One account, a new holder of its lease now and then."""

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.elders: list[SimProcess] = []
        self.elder_writes = 0
        """Order requests that left processes without the lease."""
        self._asking: SimProcess | None = None
        self.rest.on_write = self._wrote

    def take_over(self, *, frozen_ms: int = 0) -> None:
        """A new process takes the lease at once; the old one may stand still for so long around it."""
        elder = self.process
        if elder is None or not elder.alive:
            return
        if frozen_ms:
            elder.freeze(frozen_ms * MS)
        elder.lease.held = False
        elder.journal.unlinked()
        self.elders.append(elder)
        self._user_up = self._market_up = 0
        self.boot()

    def take_over_at(self, *moments_s: float, frozen_ms: int = 0) -> None:
        """Plan take-overs by virtual seconds."""
        for moment_s in moments_s:
            self.scheduler.at(int(moment_s * SECOND), lambda: self.take_over(frozen_ms=frozen_ms))

    def boot(self) -> None:
        super().boot()
        process = self.process
        assert process is not None
        process.on_ask = lambda: self._asks(process)

    def close(self) -> None:
        for elder in self.elders:
            elder.close()
        super().close()

    def _asks(self, process: SimProcess) -> None:
        self._asking = process

    def _wrote(self, method: str, path: str, params: dict[str, Any]) -> None:
        asking = self._asking
        if asking is not None and asking in self.elders and "order" in path.lower():
            self.elder_writes += 1
            self._fenced(asking, method, path, params)
        self.judge.on_write(method, path, params)

    def _fenced(self, elder: SimProcess, method: str, path: str, params: dict[str, Any]) -> None:
        """Only cancels of orders that the old process itself placed may leave it."""
        epoch = elder.lease.epoch
        if method != "DELETE":
            self.judge.verdicts.broken("I-25", f"{method} {path} leaves epoch {epoch}, which holds no lease")
            return
        for order in self.judge.live.values():
            who = ids.owner(order.client_id)
            if who is not None and who.epoch > epoch and order.client_id in str(params):
                self.judge.verdicts.broken("I-25", f"epoch {epoch} cancels {order.client_id}, which is newer")

    def _tell_user(self, payload: dict[str, Any]) -> None:
        super()._tell_user(payload)
        self._tell_elders(lambda elder: elder.adapter.on_user(payload))

    def _tell_market(self, payload: dict[str, Any]) -> None:
        super()._tell_market(payload)
        self._tell_elders(lambda elder: elder.adapter.on_market(payload))

    def _tell_elders(self, tell: Callable[[SimProcess], None]) -> None:
        """The sockets of the old process work on."""
        for elder in self.elders:
            self.scheduler.after(MS, lambda elder=elder: elder.deliver(lambda: tell(elder)))  # type: ignore[misc]
