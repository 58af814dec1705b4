"""A screen left open for a day holds what it held after an hour."""

import gc
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest
from gridops.runtime.ports_journal import InputRow, JournalRow
from gridops.sim.day import Day
from gridops.sim.faults import CALM
from gridops.sim.scheduler import SECOND
from gridops.tui.model import Model
from tests.effort import FULL

pytestmark = pytest.mark.simulation
WARM_H, LONG_H = (14.0, 24.0) if FULL else (0.7, 1.0)
MOST_GROWTH = 1.15
_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)


def held_bytes(root: object) -> int:
    """Bytes of everything reachable from `root`, classes and code left out."""
    seen: set[int] = set()
    total, todo = 0, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        todo.extend(gc.get_referents(thing))
    return total


def test_what_the_screen_holds_does_not_grow_with_the_hours() -> None:
    day = Day(31, hours=LONG_H, faults=CALM, market="light:31")
    model = Model(account="sim", home="h", reading="")
    model.reset(None)
    folded = 0

    def on_row(row: JournalRow) -> None:
        nonlocal folded
        folded += 1
        model.take(InputRow(row.seq, row.wall_ms, row.kind, row.body))

    day.disk.on_row.append(on_row)
    sizes: list[int] = []
    day.scheduler.at(int(WARM_H * 3_600) * SECOND, lambda: sizes.append(held_bytes(model)))
    day.run()
    day.close()
    sizes.append(held_bytes(model))
    rate = sizes[1] / sizes[0]
    print(
        f"{LONG_H} virtual hours, {folded} rows: {sizes[0]} bytes after {WARM_H} h, {sizes[1]} at the end ({rate:.2f})"
    )
    assert model.fold_error == ""
    assert rate <= MOST_GROWTH
