"""B3: one engine step on a quiet tick: the view folded, nothing decided, its row encoded and hashed.

The floor beside it is the least that any engine with a journal does per event: count it, encode it, hash it.
"""

from hashlib import sha256

import msgspec
from gridops.adapters.journal_chain import GENESIS, link
from gridops.domain.events import Header, ViewChanged
from tests.bench import machine_speed
from tests.bench.instant_venue import MID_TICKS, Rig
from tests.bench.table import Result, times, us
from tests.bench.timing import Work, interleave

TICKS = 400
AIM_US = 12
PEER = "nautilus, event with counting strategy: 12 us"

Ticks = list[tuple[Header, ViewChanged]]


def run() -> list[Result]:
    """Both sides take the same kind of ticks."""
    rig, other = Rig(), Rig()
    rig.boot()
    sides = {
        "step": lambda: _step_side(rig),
        "floor": lambda: _floor_side(other),
        "machine": machine_speed.side,
    }
    measured = interleave(sides, rounds=25)
    step, floor = measured["step"], measured["floor"]
    return [
        Result(
            row="B3",
            what="quiet tick: fold, encode, hash",
            here=us(step),
            against=f"count + encode + sha256: {us(floor)}",
            ratio=times(step / floor),
            aim=f"<= {AIM_US} us",
            peer=PEER,
            met=step <= AIM_US * 1_000,
            took_ns=step,
            aim_ns=AIM_US * 1_000,
            factor=measured["machine"] / machine_speed.THERE_NS,
        )
    ]


def _ticks(rig: Rig) -> Ticks:
    """Book ticks 2 ms apart; the touch changes size, the price does not. Once-a-second work falls among them."""
    return [(rig.header(2), rig.view(MID_TICKS, number % 7)) for number in range(TICKS)]


def _step_side(rig: Rig) -> Work:
    rig.refresh()
    ticks, engine = _ticks(rig), rig.engine

    def work() -> int:
        chain = GENESIS
        for header, event in ticks:
            _, body = engine.handle(header, event)
            chain = link(chain, header.seq, header.wall_ms, "ViewChanged", body)
        return len(ticks)

    return work


def _floor_side(rig: Rig) -> Work:
    ticks, encode = _ticks(rig), msgspec.json.Encoder().encode

    def work() -> int:
        chain, counted = GENESIS, 0
        for header, event in ticks:
            counted += 1
            chain = sha256(chain + encode((header, event))).digest()
        return counted

    return work
