"""A home with a real journal in it, made in a second: an engine trades in virtual time, its rows go into SQLite.

For drills that damage a journal or read it back. The rows are those the production engine wrote.
"""

from decimal import Decimal
from pathlib import Path

from gridops.adapters.home import Home
from gridops.adapters.journal_sqlite import open_journal
from gridops.errors import JournalError
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_spec import parse

_STORY = {
    "name": "a-home", "title": "t", "shows": "s", "runbook": "fsm",
    "step": [{"do": "mark"}], "expect": [{"that": "fills", "least": 0}],
}  # fmt: skip


def write_home(root: Path, account: str, traded_s: int) -> None:
    """Lay out a home whose journal tells of a run of that many virtual seconds. JournalError when it cannot."""
    rows: list[JournalRow] = []
    day = DrillDay(parse({**_STORY, "run_s": max(traded_s, 5)}, "a-home"), 1)
    day.disk.on_row.append(rows.append)
    day.scheduler.at(day.warm_ns + 8_000_000_000, lambda: day.verb_price(move_bps=Decimal(-6), over_s=Decimal(3)))
    try:
        day.play()
    finally:
        day.close()
    home = Home(root).ensure()
    journal = open_journal(home.journal(account), account=account, clock_ms=day.clock.wall_ms)
    try:
        journal.begin_run("a00000000001", 1, "drill")
        for row in rows:
            journal.append(row)
        if not journal.flush(20):
            raise JournalError("the drill's journal could not be written")
        journal.end_run("drill")
    finally:
        journal.close()
