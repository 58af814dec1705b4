"""The composition root: settings in, the live graph out. The only place that knows every adapter.

Order matters: lease, journal and recovery, venue, then the loop. Whatever was opened is closed again, in reverse.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gridops import __version__
from gridops.adapters import allocator, installed_build, lease_file, notify, workers
from gridops.adapters.bundle_writer import BundleSink
from gridops.adapters.clock import Clock
from gridops.adapters.control_socket import ControlServer
from gridops.adapters.evidence_files import EvidenceWriter
from gridops.adapters.evidence_list import list_bundles
from gridops.adapters.home import Home, register, unregister
from gridops.adapters.http_status import Check, StatusServer, step_age_check
from gridops.adapters.journal_sqlite import SqliteJournal, open_journal
from gridops.adapters.kill_latch import KillLatch
from gridops.adapters.lease_file import Lease
from gridops.adapters.log_json import JsonLog
from gridops.adapters.metric_labels import open_metrics
from gridops.adapters.record_log import LogSink
from gridops.adapters.record_metrics import MetricsSink
from gridops.adapters.record_sinks import GuardedSink, engine_sinks
from gridops.adapters.redaction import Secrets
from gridops.adapters.reserve_file import ReserveFile
from gridops.adapters.service_notify import ServiceNotify
from gridops.adapters.tended import Tended, Work
from gridops.adapters.traceback_hooks import install_hooks
from gridops.config import Loaded
from gridops.domain.effects import Answer, Finish
from gridops.domain.events import Boot, OperatorInput, StopSignal, VenueNotice
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.instrument import Instrument
from gridops.domain.vocabulary import FsmState
from gridops.errors import VenueUnavailable
from gridops.runtime.engine import Engine, recover
from gridops.runtime.inbox import Inbox
from gridops.runtime.live_loop import LiveLoop
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import encode_state
from gridops.usecases import feasible, run_watchers, sync_start
from gridops.usecases.command_evidence import Story
from gridops.usecases.command_evidence import write as write_evidence
from gridops.usecases.control import Control
from gridops.usecases.run import BUNDLES_TOLD, OnProgress, RunReport, report
from gridops.usecases.venue_session import PAPER, MarketOptions, VenueSession, attach_paper, open_session

STEP_AGE_LIMIT_MS = 2_000
FLUSH_WITHIN_S = 10.0
LOOK_SETTLE_S = 2.0
_LOOKED = StopSignal(name="looked")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One run as the command line asked for it."""

    loaded: Loaded
    home: Home
    evidence_root: Path
    environment: MutableMapping[str, str]
    armed: bool
    duration_s: float | None = None
    from_ms: int | None = None
    loop: bool = False
    fresh: bool = False
    log_stderr: bool = False
    on_progress: OnProgress | None = None
    on_started: Callable[[dict[str, Any]], None] | None = None
    look: OperatorInput | None = None
    """Not a run: carry this one request out as an observer, and end."""


def look(options: RunOptions) -> tuple[Answer, tuple[EvidenceRef, ...]]:
    """Take the lease of a dead engine, recover its journal, read both sides, and carry one request out.

    The same step decides as in a run; an observer plans and beats nothing. Refused while another engine holds the
    lease; VenueUnavailable when the venue cannot be reached: a paper venue is never started for a look.
    """
    secrets, clock = Secrets(), Clock()
    account, home = options.loaded.settings.account.name, options.home.ensure()
    with ExitStack() as stack:
        lease = _take_lease(home, account, clock, stack)
        journal, engine = _recovered(home, account, clock, options, stack)
        _check_journal(options, engine)
        lease.raise_epoch(engine.state.identity.epoch + 1)
        session = _attached(options, home, secrets)
        graph = LiveGraph(options, home, clock, secrets, lease, journal, engine, session)
        report = asyncio.run(graph.run())
    if graph.looked is None:
        raise VenueUnavailable("the look ended before both sides were read", hint="run it again")
    return graph.looked, graph.with_evidence(report).evidence


def _attached(options: RunOptions, home: Home, secrets: Secrets) -> VenueSession:
    settings = options.loaded.settings
    if settings.venue.url == PAPER:
        return attach_paper(settings, store=home.paper_venue_dir(settings.account.name), secrets=secrets)
    return _session(replace(options, armed=True), home, secrets)


def _check_journal(options: RunOptions, engine: Engine) -> None:
    sync_start.check_whitelist(options.loaded.settings, engine.state)


def execute(options: RunOptions) -> RunReport:
    """Trade until told to stop. Every refusal is a GridopsError raised before anything is sent."""
    installed_build.check()
    secrets = Secrets()
    account = options.loaded.settings.account.name
    home = options.home.ensure()
    clock = Clock()
    wanted = options.loaded.settings.notify.level != "off"
    send = notify.sender(notify.urls(options.environment, secrets)) if wanted else None
    allocator.one_arena()
    with ExitStack() as stack:
        if options.fresh:
            _set_aside(home, account, clock)
        lease = _take_lease(home, account, clock, stack)
        journal, engine = _recovered(home, account, clock, options, stack)
        _check_journal(options, engine)
        lease.raise_epoch(engine.state.identity.epoch + 1)
        session = _session(options, home, secrets)
        graph = LiveGraph(options, home, clock, secrets, lease, journal, engine, session, send=send)
        try:
            report = asyncio.run(graph.run())
        finally:
            # A venue that another run or hand started outlives this one.
            if session.handle is not None and session.started_here and graph.orderly:
                with contextlib.suppress(VenueUnavailable):
                    session.handle.stop()
    return graph.with_evidence(report)


def _take_lease(home: Home, account: str, clock: Clock, stack: ExitStack) -> Lease:
    now_s = clock.wall_ms() // 1_000
    lease = lease_file.acquire(home.lease(account), account=account, epoch_floor=1, now_s=now_s)
    stack.callback(lease.release)
    return lease


def _recovered(
    home: Home, account: str, clock: Clock, options: RunOptions, stack: ExitStack
) -> tuple[SqliteJournal, Engine]:
    journal = open_journal(home.journal(account), account=account, clock_ms=clock.wall_ms)
    stack.callback(journal.close)
    engine = recover(journal.tail(), EngineState(rules=options.loaded.settings.rules()), build=__version__)
    return journal, engine


def _session(options: RunOptions, home: Home, secrets: Secrets) -> VenueSession:
    settings = options.loaded.settings
    return open_session(
        settings,
        market=MarketOptions(
            market=settings.venue.market,
            speed=str(settings.venue.speed),
            from_ms=options.from_ms,
            loop=options.loop,
        ),
        store=home.paper_venue_dir(settings.account.name),
        armed=options.armed,
        environment=options.environment,
        secrets=secrets,
    )


def _set_aside(home: Home, account: str, clock: Clock) -> None:
    """`--fresh`: the old journal and paper account are kept, under another name."""
    lease = lease_file.acquire(home.lease(account), account=account, epoch_floor=1, now_s=clock.wall_ms() // 1_000)
    try:
        from gridops.venue.handle import attach

        venue = attach(home.paper_venue_dir(account))
        if venue is not None:
            venue.stop()
        aside = home.root / "archive" / f"{account}-{clock.wall_ms()}"
        aside.mkdir(parents=True, mode=0o700)
        journal = home.journal(account)
        for path in (journal, Path(f"{journal}-wal"), Path(f"{journal}-shm"), home.reserve(account)):
            if path.exists():
                path.rename(aside / path.name)
        if home.paper_venue_dir(account).exists():
            home.paper_venue_dir(account).rename(aside / "paper")
        home.kill_latch(account).unlink(missing_ok=True)
    finally:
        lease.release()


class LiveGraph:
    """The composed process: engine, venue, sinks, control and status pages around one loop."""

    def __init__(
        self,
        options: RunOptions,
        home: Home,
        clock: Clock,
        secrets: Secrets,
        lease: Lease,
        journal: SqliteJournal,
        engine: Engine,
        session: VenueSession,
        *,
        send: notify.Send | None = None,
    ) -> None:
        self._send = send
        self._options, self._home, self._clock, self._secrets = options, home, clock, secrets
        self._lease, self._journal, self._engine, self._session = lease, journal, engine, session
        self._settings = options.loaded.settings
        self.orderly = False
        self.looked: Answer | None = None
        self._torn: tuple[EvidenceRef, ...] = ()
        now_ms = clock.wall_ms()
        named = f"{self._settings.account.name}|{lease.epoch}|{now_ms}"
        self._run_id = sha256(named.encode()).hexdigest()[:12]
        self._started_s = time.monotonic()

    async def run(self) -> RunReport:
        """Open what lives in the event loop, run the engine, close in reverse."""
        from gridops.adapters.ccxt_venue import CcxtVenue

        workers.start()
        inbox = Inbox()
        venue = CcxtVenue(settings=self._session.settings, put=inbox.put)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(venue.close)
            looking = self._options.look
            instruments = await venue.connect(require_modes=looking is None)
            sync_start.check_rules(instruments, self._engine.state)
            feasible.check_symbols(instruments)
            feasible.check(self._settings, instruments)
            loop = self._compose(venue, instruments, stack)
            control = await self._serve(loop, stack)
            loop.answer_to(control.answered if looking is None else self._answered(loop))
            loop.put(self._boot(instruments))
            inbox.connect(loop)
            if looking is None:
                self._read_reserve(loop)
            self._tell_torn(loop)
            if looking is None:
                await venue.start_streams()
            else:
                loop.put(looking)
            self._arm_signals(loop)
            self._reserved = allocator.settle()
            manager = ServiceNotify(self._options.environment)
            manager.ready(_ready(loop.engine.state).detail)
            stack.callback(manager.stopping, "leaving")
            watchers = self._watchers(loop, manager)
            try:
                finish = await loop.run()
            finally:
                await asyncio.gather(*(watcher.leave() for watcher in watchers))
            self._session_over(finish)
        return self._report(finish)

    def _compose(self, venue: Any, instruments: tuple[Instrument, ...], stack: contextlib.AsyncExitStack) -> LiveLoop:
        account = self._settings.account.name
        log = JsonLog(
            self._home.log_dir,
            max_bytes=64_000_000,
            backups=5,
            stderr=self._options.log_stderr,
            secrets=self._secrets,
            name=account,
        )
        stack.callback(log.close)
        # What libraries log, and what threads and forgotten tasks raise, may hold a URL with a signature in it.
        install_hooks(self._secrets, log)
        assets = tuple(sorted({i.settle_asset for i in instruments} | {"BNB"}))
        self._metrics = open_metrics(symbols=self._settings.grid.symbols, assets=assets, version=__version__)
        figures = MetricsSink(
            self._metrics,
            quote_asset=instruments[0].settle_asset,
            now_ms=lambda: self._clock.boot_ns() // 1_000_000,
            journal=self._journal,
            disk_free=lambda: shutil.disk_usage(self._home.root).free,
            held=allocator.held,
        )
        self._engine.sinks = engine_sinks(
            LogSink(log), figures, lambda text: log.write({"alarm": text}, important=True)
        )
        if self._send is not None:
            said = self._settings.notify
            notifier = notify.Notifier(
                self._send, account=account, serious=said.level == "critical", per_minute=said.per_minute,
                repeat_s=said.repeat_seconds, secrets=self._secrets, count=figures.notified,
            )  # fmt: skip
            stack.callback(notifier.close)
            self._engine.sinks += (GuardedSink(notifier, lambda text: log.write({"alarm": text}, important=True)),)
        box: list[LiveLoop] = []
        bundles = BundleSink(
            EvidenceWriter(self._options.evidence_root, run8=self._run_id[:8], secrets=self._secrets),
            context=self._context(instruments),
            report=lambda event: box[0].put_threadsafe(event),
            counted=figures,
        )
        stack.callback(bundles.close)
        reserve = ReserveFile(self._home.reserve(account))
        stack.callback(reserve.close)
        self._reserve = reserve
        latch = KillLatch(self._home.kill_latch(account), clock_ms=self._clock.wall_ms)
        self._latch = latch
        loop = LiveLoop(
            self._engine,
            clock=self._clock,
            venue=venue,
            journal=self._journal,
            lease=self._lease,
            latch=latch,
            reserve=reserve,
            bundles=bundles,
            alarm=lambda text: log.write({"alarm": text}, important=True),
            timings=figures,
        )
        box.append(loop)
        return loop

    async def _serve(self, loop: LiveLoop, stack: contextlib.AsyncExitStack) -> Control:
        account = self._settings.account.name
        status = StatusServer(
            render=self._metrics.render,
            health=step_age_check(lambda: self._step_age_ms(loop), STEP_AGE_LIMIT_MS),
            ready=lambda: _ready(loop.engine.state),
            port=self._settings.operations.metrics_port,
        )
        await status.start()
        stack.push_async_callback(status.close)
        control = Control(
            loop.put,
            lambda: loop.engine.state,
            metrics_port=status.port,
            evidence_root=str(self._options.evidence_root.absolute()),
        )
        server = ControlServer(self._home.control_socket(account, self._options.environment), control.handle)
        await server.start()
        stack.push_async_callback(server.close)
        note = register(self._home, account, since_ms=self._clock.wall_ms(), environment=self._options.environment)
        stack.callback(unregister, note)
        if self._options.on_started is not None:
            self._options.on_started(
                {
                    "account": account,
                    "run_id": self._run_id,
                    "pid": os.getpid(),
                    "metrics": f"http://127.0.0.1:{status.port}/metrics",
                    "venue": self._session.settings.rest or "binance",
                    "oracle": None if self._session.handle is None else f"{self._session.handle.rest}/oracle",
                }
            )
        return control

    def _boot(self, instruments: tuple[Instrument, ...]) -> Boot:
        tag = sha256(f"{self._settings.account.name}".encode()).hexdigest()[:4]
        self._journal.begin_run(self._run_id, self._lease.epoch, __version__)
        return Boot(
            run_id=self._run_id,
            instance_tag=self._engine.state.identity.instance_tag or tag,
            account=self._settings.account.name,
            fingerprint=self._session.fingerprint,
            epoch=self._lease.epoch,
            build=__version__,
            config_hash=self._settings.digest,
            armed=self._options.armed,
            live=self._session.live,
            rules=self._settings.rules(),
            instruments=instruments,
            kill_latched=self._latch.is_set(),
            observer=self._options.look is not None,
        )

    def _answered(self, loop: LiveLoop) -> Callable[[Answer], None]:
        """The one answer of a look; what it sent is given the time of the stop to be confirmed."""

        def keep(answer: Answer) -> None:
            self.looked = answer
            running = asyncio.get_running_loop()
            running.call_later(LOOK_SETTLE_S if answer.accepted and self._wrote() else 0, loop.put, _LOOKED)

        return keep

    def _wrote(self) -> bool:
        return self._options.look is not None and bool(self._options.look.digest)

    def _read_reserve(self, loop: LiveLoop) -> None:
        """Reductions that left without a journal row: their orders will show as orphans and fills; say so, once."""
        rows = self._reserve.read_all()
        if rows:
            detail = f"{len(rows)} reductions were sent while the journal could not be written"
            loop.put(VenueNotice(kind="reserve_records", symbol="", detail=detail, event_ms=0))
            self._reserve.clear()

    def _tell_torn(self, loop: LiveLoop) -> None:
        """Rows cut from the journal's end are kept aside in it; that they were is a finding and an input."""
        torn = self._journal.tail().torn
        if not torn:
            return
        detail = f"{torn} torn rows were cut from the end of the journal"
        story = Story(
            mode=EvidenceMode.INCIDENT,
            status=EvidenceStatus.FINDING,
            reason="journal_torn",
            title=detail,
            facts={"journal": str(self._journal.path), "rows": torn, "last_seq": self._engine.state.seq},
        )
        self._torn = (write_evidence(self._options.evidence_root, story, self._secrets),)
        loop.put(VenueNotice(kind="journal_torn", symbol="", detail=detail, event_ms=0))

    def _arm_signals(self, loop: LiveLoop) -> None:
        """The first signal stops in order; a second one leaves at once."""
        running = asyncio.get_running_loop()
        seen: list[int] = []

        def stop(number: signal.Signals) -> None:
            seen.append(number)
            if len(seen) > 1:
                os._exit(130)
            loop.put(StopSignal(name=number.name))

        for number in (signal.SIGINT, signal.SIGTERM):
            running.add_signal_handler(number, stop, number)
        running.add_signal_handler(signal.SIGHUP, lambda: None)

    def _watchers(self, loop: LiveLoop, manager: ServiceNotify) -> list[Tended]:
        """Each goes on until it has said what it is for; one that dies before is begun again, and the log tells it."""
        watch, options = run_watchers, self._options
        healthy = step_age_check(lambda: self._step_age_ms(loop), STEP_AGE_LIMIT_MS)
        work: dict[str, Work] = {"watchdog": lambda: watch.watchdog(manager, healthy), "memory": watch.memory}
        if (seconds := options.duration_s) is not None:
            ends_s = time.monotonic() + seconds
            work["duration"] = lambda: watch.duration(max(0.0, ends_s - time.monotonic()), loop.put)
        if (handle := self._session.handle) is not None:
            work["market end"] = lambda: watch.market(handle, loop.put)
        if limit := self._settings.operations.min_free_mb * 1_000_000:
            work["disk"] = lambda: watch.disk(self._home.root, limit, loop.put)
        if (on_progress := options.on_progress) is not None:
            work["progress"] = lambda: watch.show(lambda: loop.engine.state, on_progress)
        return [Tended(name, begin, endless=False) for name, begin in work.items()]

    def _step_age_ms(self, loop: LiveLoop) -> int:
        return (self._clock.boot_ns() - loop.outbox.last_step_ns) // 1_000_000

    def _context(self, instruments: tuple[Instrument, ...]) -> dict[str, Any]:
        """What every bundle of this run says about where it comes from."""
        return {
            "build": __version__,
            "config_hash": self._settings.digest,
            "account": self._settings.account.name,
            "fingerprint": self._session.fingerprint,
            "run_id": self._run_id,
            "epoch": self._lease.epoch,
            "symbols": [i.symbol for i in instruments],
            "settings": self._settings.model_dump(mode="json"),
            "sources": self._options.loaded.sources,
        }

    def _session_over(self, finish: Finish) -> None:
        """The last word of an orderly run is a checkpoint: the next build need not decide this one's inputs again."""
        self.orderly = True
        self._journal.checkpoint(self._engine.checkpoint())
        self._journal.flush(FLUSH_WITHIN_S)
        self._journal.end_run(finish.outcome)

    def _report(self, finish: Finish) -> RunReport:
        state = self._engine.state
        return report(
            state,
            finish,
            duration_s=int(time.monotonic() - self._started_s),
            digest=self._engine.records_digest,
            state_digest=sha256(encode_state(state)).hexdigest(),
            journal=self._home.journal(self._settings.account.name),
        )

    def with_evidence(self, done: RunReport) -> RunReport:
        """What the run wrote, read back from the disk, oldest first: a run of weeks does not keep it in its memory.

        For after the lease: reading waits as long as the disk does.
        """
        told = list_bundles(self._options.evidence_root, limit=BUNDLES_TOLD - len(self._torn), run8=self._run_id[:8])
        return replace(done, evidence=(*self._torn, *(entry.ref for entry in reversed(told))))


def _ready(state: EngineState) -> Check:
    quoting = state.fsm.state in (FsmState.ACTIVE, FsmState.THROTTLED)
    return Check(quoting, f"{state.fsm.state} since {(state.now_ms - state.fsm.since_ms) // 1_000} s")
