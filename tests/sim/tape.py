"""One judged run as a tape of what the judge was fed, which can be changed and judged again.

The run itself is clean; a planted defect is a change of the tape: a row the disk did not get, a request that left with
something else in it, an event the venue did not send. Every judge hears the tape afresh.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import msgspec
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.day import ACCOUNT, RULES, TAG, Day
from gridops.sim.faults import FaultRates
from gridops.sim.judge import Judge
from gridops.sim.scheduler import LinkRates


@dataclass
class Heard:
    """One thing the judge was told."""

    kind: str
    """mark, private, row, request, write, connect, wake, evidence."""
    now_ms: int
    said: tuple[Any, ...]
    state: FsmState | None = None
    blind_ms: tuple[int | None, int | None] = (None, None)
    """User stream, market: since when."""
    latched: bool = False
    leads: bool = True
    mute: bool = False
    hindered: bool = False
    banned_until_ms: int = 0


@dataclass
class Tape:
    """What a run told its judge, and how it ended."""

    heard: list[Heard]
    rules: Rules
    grid: Any
    spec: Any
    state: Any
    truth: dict[str, Any]
    settles: bool = True
    """Judge the books at the end as well."""
    faults: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Tape":
        return replace(self, heard=[_apart(each) for each in self.heard], truth=deepcopy(self.truth))

    def cut_after(self, index: int) -> None:
        """What comes later would only repeat the same breach in other words."""
        del self.heard[index + 1 :]
        self.settles = False

    def of(self, kind: str) -> list[int]:
        return [index for index, each in enumerate(self.heard) if each.kind == kind]

    def lasting(self, for_ms: int, fits: Callable[[Heard], bool]) -> tuple[int, int]:
        """The first two marks that far apart with only such marks in between."""
        since: int | None = None
        for index in self.of("mark"):
            heard = self.heard[index]
            if not fits(heard):
                since = None
            elif since is None:
                since = index
            elif heard.now_ms - self.heard[since].now_ms >= for_ms:
                return since, index
        raise AssertionError(f"nothing of that kind lasts for {for_ms} ms")

    def row(self, index: int) -> Any:
        """A row's body, as lists that can be changed: header, kind, event, records, effects."""
        return msgspec.json.decode(self.heard[index].said[0].body)

    def put_row(self, index: int, body: Any, **changes: Any) -> None:
        row: JournalRow = self.heard[index].said[0]
        self.heard[index].said = (_with(row, body=msgspec.json.encode(body), **changes),)


def _apart(heard: Heard) -> Heard:
    """A copy that can be changed; what no plant can change in place, rows above all, is shared."""
    return replace(heard, said=deepcopy(heard.said) if heard.kind in ("private", "write") else heard.said)


def _with(row: JournalRow, **changes: Any) -> JournalRow:
    fields = "seq", "wall_ms", "kind", "body", "durable", "orders", "fills"
    return JournalRow(**{**{name: getattr(row, name) for name in fields}, **changes})


class _Recorder(Judge):
    """A judge that keeps what it hears."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heard: list[Heard] = []

    def _keep(self, kind: str, *said: Any) -> None:
        state = self.state_now()
        blind = (self.user_blind_since_ms, self.market_blind_since_ms)
        asks = self.asks
        self.heard.append(
            Heard(
                kind=kind,
                now_ms=self._now_ms(),
                said=deepcopy(said),
                state=None if state is None else state.fsm.state,
                blind_ms=blind,
                latched=self.latched(),
                leads=asks.leads(),
                mute=self.rows.exits.mute(),
                hindered=asks.hindered(),
                banned_until_ms=asks.banned_until_ms(),
            )
        )

    def on_mark(self, mark_ticks: int) -> None:
        self._keep("mark", mark_ticks)
        super().on_mark(mark_ticks)

    def on_private(self, payload: Mapping[str, Any]) -> None:
        self._keep("private", payload)
        super().on_private(payload)

    def on_row(self, row: JournalRow) -> None:
        self._keep("row", row)
        super().on_row(row)

    def on_request(self, method: str, path: str, stamp_ms: int, params: Mapping[str, Any]) -> None:
        self._keep("request", method, path, stamp_ms, params)
        super().on_request(method, path, stamp_ms, params)

    def on_connect(self, sockets: int) -> None:
        self._keep("connect", sockets)
        super().on_connect(sockets)

    def on_write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        self._keep("write", method, path, params)
        super().on_write(method, path, params)

    def evidence_lost(self) -> None:
        self._keep("evidence")
        super().evidence_lost()

    def on_wake(self) -> None:
        self._keep("wake")
        super().on_wake()


FAULTS = FaultRates(
    user=LinkRates(drop_ppm=20_000, duplicate_ppm=20_000), user_down=12, crash=8, kill=6, ban=8, market_down=4
)


def record(seed: int, hours: float = 0.3) -> Tape:
    """A run with a few crashes, kills and bans, in which nothing broke."""
    day = Day(seed, hours=hours, faults=FAULTS, market=f"light:{seed}", judge=_Recorder)
    day.run()
    day.close()
    assert isinstance(day.judge, _Recorder)
    assert day.process is not None
    return Tape(
        heard=day.judge.heard,
        rules=RULES,
        grid=day.grid,
        spec=day.core.symbols()[0],
        state=day.process.engine.state,
        truth=day.core.truth(),
        faults=day.calendar.struck,
    )


def judged(tape: Tape) -> set[str]:
    """The invariants that this tape breaks."""
    now = SimpleNamespace(ms=0, state=None, latched=False, hindered=False, leads=True, mute=False, banned=0)
    judge = Judge(tape.grid, tape.rules, TAG, lambda: now.ms)
    judge.verdicts.collecting = True
    judge.state_now = lambda: now.state
    judge.latched = lambda: now.latched
    judge.asks.spec = lambda: tape.spec
    judge.asks.hindered = lambda: now.hindered
    judge.asks.leads = lambda: now.leads
    judge.rows.exits.mute = lambda: now.mute
    judge.asks.banned_until_ms = lambda: now.banned
    told: dict[str, Callable[..., None]] = {
        "mark": judge.on_mark,
        "private": judge.on_private,
        "row": judge.on_row,
        "request": judge.on_request,
        "write": judge.on_write,
        "connect": judge.on_connect,
        "wake": judge.on_wake,
        "evidence": judge.evidence_lost,
    }
    for each in tape.heard:
        now.mute = each.mute
        now.ms, now.latched, now.hindered, now.leads, now.banned = (
            each.now_ms, each.latched, each.hindered, each.leads, each.banned_until_ms,
        )  # fmt: skip
        now.state = None if each.state is None else SimpleNamespace(fsm=SimpleNamespace(state=each.state))
        judge.user_blind_since_ms, judge.market_blind_since_ms = each.blind_ms
        told[each.kind](*each.said)
    if tape.settles:
        judge.settle(tape.state, tape.truth, ACCOUNT)
    return {each.invariant for each in judge.verdicts.found}
