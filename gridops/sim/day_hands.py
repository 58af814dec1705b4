"""The hands on a simulated account: the operator's commands, and somebody who trades beside the engine.

A part of `day`, which owns everything named here. It draws no moment; it acts when it is told to.
"""

from random import Random

from gridops.adapters.venue_parse import Grid
from gridops.domain.events import OperatorInput
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.runtime.state import EngineState
from gridops.sim.rest_link import RestLink
from gridops.sim.scheduler import SECOND, Scheduler
from gridops.sim.sim_loop import SimProcess


class Hands:
    """What people do; mixed into a day."""

    seed: int
    rules: Rules
    scheduler: Scheduler
    end_ns: int
    grid: Grid
    rest: RestLink
    process: SimProcess | None
    _foreign: int
    """Orders of the other hand so far."""

    def _state(self) -> EngineState | None:
        raise NotImplementedError

    def operator(self, command: OperatorCommand, *, accept_position: bool = False) -> None:
        """An operator's word over the control socket."""
        if self.process is not None:
            process = self.process
            event = OperatorInput(
                command=command,
                request_id=f"{command}-{self.scheduler.events}",
                author="sim",
                reason="simulated operator",
                accept_position=accept_position,
            )
            process.deliver(lambda: process.put(event))

    def _do_pause(self, chance: Random) -> None:
        self.operator(OperatorCommand.PAUSE)
        self.scheduler.after(chance.randint(5, 120) * SECOND, lambda: self.operator(OperatorCommand.RESUME))

    def _do_kill(self, chance: Random) -> None:
        self.operator(OperatorCommand.KILL)
        self.scheduler.after(chance.randint(20, 120) * SECOND, self._acknowledge)

    def _acknowledge(self) -> None:
        """Ask until it is granted: an ack before flat is proven is refused."""
        state = self._state()
        if state is None or state.fsm.state is FsmState.EMERGENCY or state.wishes.killed:
            self.operator(OperatorCommand.ACK)
            if self.scheduler.now_ns < self.end_ns:
                self.scheduler.after(20 * SECOND, self._acknowledge)

    def _do_foreign_order(self, chance: Random) -> None:
        """Another hand buys or sells a little on the same account, at the market."""
        self._foreign += 1
        params = {
            "symbol": self.rules.symbols[0],
            "side": chance.choice(("BUY", "SELL")),
            "type": "MARKET",
            "quantity": self.grid.quantity.text(chance.randint(1, 5)),
            "newClientOrderId": f"web_{self.seed}_{self._foreign}",
        }
        self.rest.by_another_hand("POST", "/fapi/v1/order", params)
