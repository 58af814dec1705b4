"""Drills of tier `wire`: a real engine and its real client library on an emulator in a process of its own.

Steps act on the emulator by its control port, on the engine by signals, limits of the system and its operator's socket.
`Attached` runs them against an engine that somebody else started, as far as an emulator's faults go.
"""

import contextlib
import resource
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from gridops.adapters.control_client import ask
from gridops.adapters.home import Home
from gridops.domain.values import record
from gridops.errors import ConfigError, Refused, VenueUnavailable
from gridops.sim.drill_process_words import ATTACHED
from gridops.sim.drill_run import DrillReport, Moved
from gridops.sim.drill_spec import Cue, Drill, Step, draw, drawn
from gridops.usecases import drill_inside
from gridops.usecases.drill_bench import ACCOUNT, Bench, BenchFailed, Engine
from gridops.usecases.drill_report import process_report
from gridops.usecases.drill_wire_verdict import Fact, judge, moves
from gridops.venue.handle import VenueHandle, attach

_LOOK_S = 0.05
_SPEED = "3"


@record
class Stage:
    """Where steps act: an emulator, the home of the account, and the engines that this drill started itself."""

    venue: VenueHandle
    home: Path
    bench: Bench | None


def run_wire_drill(drill: Drill, seed: int, said: Callable[[str], None]) -> DrillReport:
    """Start an emulator and an engine, carry the steps out, stop, compare the books. BenchFailed becomes a check."""
    with tempfile.TemporaryDirectory(prefix="gridops-drill-", ignore_cleanup_errors=True) as folder:
        settings = {f"GRIDOPS_{key.upper().replace('.', '__')}": str(held) for key, held in drill.settings.items()}
        with Bench(Path(folder), speed=_SPEED, **settings) as bench:
            stage = Stage(venue=bench.venue, home=bench.home, bench=bench)
            if any(step.do == "part_dies" for step in drill.steps):
                bench.program = ("-m", drill_inside.__name__)
                bench.environment[drill_inside.NAMED_IN] = str(_named(bench))
            return _Run(drill, seed, stage, said).play()


def run_attached(drill: Drill, seed: int, home: Path, account: str, said: Callable[[str], None]) -> DrillReport:
    """The same against an engine that runs. ConfigError for a drill that needs more than its emulator can do.

    Refused when no emulator of ours answers for that home: faults are never armed anywhere else.
    """
    beyond = sorted({step.do for step in drill.steps} - ATTACHED)
    if drill.tier != "wire" or beyond:
        why = f"it has {', '.join(beyond)}" if beyond else f"it is of tier {drill.tier}"
        raise ConfigError(f"drill {drill.name} cannot run against an engine that runs: {why}", hint="run it by itself")
    venue = attach(Home(home).paper_venue_dir(account))
    if venue is None:
        raise Refused(
            f"no emulator of ours answers for account {account} in {home}",
            hint="drills act on an engine whose venue is paper; the real venue is never drilled",
        )
    try:
        return _Run(drill, seed, Stage(venue=venue, home=home, bench=None), said).play()
    finally:
        with contextlib.suppress(VenueUnavailable):
            venue.command("clear")


class _Run:
    """One run, step by step."""

    def __init__(self, drill: Drill, seed: int, stage: Stage, said: Callable[[str], None]) -> None:
        self._drill, self._seed, self._stage, self._said = drill, seed, stage, said
        self._chance = Random(f"{seed}|{drill.name}")
        self._engines: list[Engine] = []
        self._began_s, self._began_wall_ms = time.monotonic(), int(time.time() * 1_000)
        self._done: dict[str, int] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._answers: dict[str, list[str]] = {}
        self._stuck = ""

    def play(self) -> DrillReport:
        try:
            self._first_start()
            for step in self._drill.steps:
                self._step(step)
            self._wait_until(self._began_s + self._drill.run_ms / 1_000)
        except BenchFailed as failed:
            self._stuck = str(failed)[:300]
        for _, action in self._later:
            action()
        fact = self._fact()
        checks = judge(self._drill, fact)
        since = self._began_wall_ms
        moved = [
            Moved(
                at_ms=at - since,
                seq=seq,
                from_state=move.from_state.value,
                to_state=move.to_state.value,
                event=move.event.value,
                reason=move.reason.value,
                detail=move.detail,
            )
            for at, seq, move in moves(self._stage.home, fact.account)
        ]
        took_ms = int((time.monotonic() - self._began_s) * 1_000)
        return process_report(
            self._drill, self._seed, checks, steps=list(self._done.items()), took_ms=took_ms, transitions=moved
        )

    def _first_start(self) -> None:
        """The drill begins when its engine quotes; one that does not come up fails it, as any step would."""
        bench = self._stage.bench
        if bench is None:
            return
        try:
            bench.start()
        finally:
            self._engines = [*bench.engines]
        self._began_s, self._began_wall_ms = time.monotonic(), int(time.time() * 1_000)

    def _fact(self) -> Fact:
        return Fact(
            drill=self._drill,
            home=self._stage.home,
            account=ACCOUNT,
            venue=self._stage.venue,
            bench=self._stage.bench,
            engines=self._engines,
            began_ms=self._began_wall_ms,
            done=self._done,
            answers=self._answers,
            stuck=self._stuck,
        )

    # When.

    def _step(self, step: Step) -> None:
        plus_s = _number(draw(step.plus_ms, self._chance)) / 1_000
        if step.after is not None:
            self._wait_cue(step, step.after)
        if step.at_ms is not None:
            self._wait_until(self._began_s + _number(draw(step.at_ms, self._chance)) / 1_000)
        else:
            self._wait_until(time.monotonic() + plus_s)
        args = drawn(step.args, self._chance)
        self._done[step.name] = int(time.time() * 1_000)
        self._said(f"{time.monotonic() - self._began_s:9.3f} s  {step.name}: {step.do}")
        getattr(self, f"do_{step.do}")(step.name, args)

    def _wait_until(self, at_s: float) -> None:
        while time.monotonic() < at_s:
            self._act_later()
            time.sleep(min(_LOOK_S, max(0.0, at_s - time.monotonic())))
        self._act_later()

    def _act_later(self) -> None:
        now_s = time.monotonic()
        due = [action for at_s, action in self._later if at_s <= now_s]
        self._later = [each for each in self._later if each[0] > now_s]
        for action in due:
            action()

    def _wait_cue(self, step: Step, cue: Cue) -> None:
        until_s = time.monotonic() + step.within_ms / 1_000
        while not self._true(cue):
            if time.monotonic() > until_s:
                raise BenchFailed(f"{step.name} waited {step.within_ms / 1_000:g} s for {cue.kind} {cue.value}")
            self._act_later()
            time.sleep(_LOOK_S)

    def _true(self, cue: Cue) -> bool:
        if cue.kind in ("flat", "holding"):
            truth = self._stage.venue.truth()["accounts"][self._stage.venue.account]
            held = any(int(each["lots"]) for each in truth["positions"].values())
            return held is (cue.kind == "holding")
        if cue.kind == "ended":
            return bool(self._engines) and self._engines[-1].process.poll() is not None
        try:
            snapshot = ask(Home(self._stage.home).control_socket(ACCOUNT), {"command": "status"}, 5.0)["snapshot"]
        except Refused:
            return False
        if cue.kind == "state":
            return bool(snapshot["state"] == cue.value)
        held = any(level.get("reason") == cue.value for level in snapshot.get("levels", []))
        return held is (cue.edge == "opens")

    # What.

    def do_mark(self, _step: str, _args: Mapping[str, Any]) -> None:
        """A name for a moment."""

    def do_calm(self, _step: str, _args: Mapping[str, Any]) -> None:
        self._stage.venue.command("clear")

    def do_fault(self, _step: str, args: Mapping[str, Any]) -> None:
        try:
            self._stage.venue.fault(
                args["verb"], selector=dict(args["select"]), **{k: _plain(v) for k, v in args["with"].items()}
            )
        except VenueUnavailable as refusal:
            raise ConfigError(f"fault {args['verb']}: {refusal}") from refusal

    def do_ask(self, step: str, args: Mapping[str, Any]) -> None:
        request = {"command": args["command"], "author": "drill", "reason": step}
        ask(Home(self._stage.home).control_socket(ACCOUNT), request, 5.0)

    def do_start(self, _step: str, args: Mapping[str, Any]) -> None:
        bench = self._own()
        bench.arguments = args["arguments"]
        self._engines.append(bench.start(active=args["lives"]))
        if not args["lives"]:
            self._engines[-1].process.wait(30)

    def do_signal(self, _step: str, args: Mapping[str, Any]) -> None:
        engine = of_number(self._engines, args["engine"])
        engine.send(signal.Signals[args["number"]])
        if args["number"] in ("SIGKILL", "SIGTERM", "SIGINT"):
            engine.process.wait(40)

    def do_freeze(self, _step: str, args: Mapping[str, Any]) -> None:
        engine = self._engines[-1]
        engine.send(signal.SIGSTOP)
        time.sleep(float(args["for_s"]))
        engine.send(signal.SIGCONT)

    def do_part_dies(self, step: str, args: Mapping[str, Any]) -> None:
        """BenchFailed when the engine has no part of that name, or does not say that it ended one."""
        engine, named = self._engines[-1], _named(self._own())
        named.write_text(args["part"])
        engine.send(signal.SIGUSR1)
        until_s = time.monotonic() + 5.0
        while (word := named.read_text()) not in ("ended", "missing"):
            if time.monotonic() > until_s:
                raise BenchFailed(f"{step}: the engine does not say what became of its {args['part']}")
            time.sleep(_LOOK_S)
        if word != "ended":
            raise BenchFailed(f"{step}: the engine has no {args['part']}")

    def do_disk_full(self, _step: str, args: Mapping[str, Any]) -> None:
        """No file may grow beyond what the smallest one of the engine has: writes fail as on a full disk."""
        pid, before = self._engines[-1].pid, resource.prlimit(self._engines[-1].pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, before[1]))

        def again() -> None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

        self._later.append((time.monotonic() + float(args["for_s"]), again))

    def do_poke(self, step: str, args: Mapping[str, Any]) -> None:
        port = int(self._engines[-1].snapshot()["metrics_port"])
        text = args["text"].replace("\n", "\r\n").encode()
        for _ in range(args["times"]):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                stranger.sendall(text)
                answer = b""
                with contextlib.suppress(OSError):
                    stranger.settimeout(2)
                    answer = stranger.recv(65_536)
            self._answers.setdefault(step, []).append(answer.decode("utf-8", "replace"))

    def _own(self) -> Bench:
        assert self._stage.bench is not None, "checked before an attached drill runs"
        return self._stage.bench


def _named(bench: Bench) -> Path:
    """The file that tells an engine which part of it is to end."""
    return bench.home.parent / "part"


def of_number(engines: list[Engine], number: int) -> Engine:
    """The engine of that place, from 1; 0 = the newest. ConfigError when there is none."""
    if number > len(engines) or not engines:
        raise ConfigError(f"engine {number} was never started", hint=f"{len(engines)} were")
    return engines[number - 1]


def _number(held: object) -> int:
    assert isinstance(held, int)
    return held


def _plain(text: str) -> Any:
    """Arguments of a fault as the emulator takes them: whole numbers and flags are no text."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.lstrip("-").isdigit() else text
