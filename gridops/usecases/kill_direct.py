"""Kill without the engine: ask it first, latch, kill the verified holder, take the lease, flatten, verify, tell.

Works while the engine is stopped, stuck or dead. It needs no journal; each reduction goes to the reserve file before it
is sent. It refuses to act beside a holder that cannot be killed, unless the account's name was typed.
"""

import json
from collections.abc import MutableMapping
from hashlib import sha256

from gridops.adapters import lease_file
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.control_client import EngineHung, EngineNotRunning, user_name
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.kill_latch import KillLatch
from gridops.adapters.redaction import Secrets
from gridops.adapters.reserve_file import ReserveFile
from gridops.config import Settings, load
from gridops.domain import ids
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError, ExitCode, GridopsError, JournalError, Refused, VenueUnavailable
from gridops.usecases import operate
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.kill_desk import Mandate, Outcome, flatten
from gridops.usecases.operate import Wish
from gridops.usecases.place import Place
from gridops.venue.handle import attach

ASK_WITHIN_S = 3.0
FLAT_WITHIN_S = 30.0
SETTLE_S = 4.0
"""recvWindow plus a second: what a killed process sent is either there by then, or never will be."""


class KillIncomplete(GridopsError):
    """The holder is gone and the latch set, but the venue was not proven flat; `evidence` tells how far it came."""

    def __init__(self, message: str, *, hint: str | None, evidence: EvidenceRef, exit_code: ExitCode) -> None:
        super().__init__(message, hint=hint)
        self.evidence = evidence
        self.exit_code = exit_code


@record
class KillReport:
    """`by` is `engine` when it answered, else `direct`."""

    account: str
    by: str
    author: str
    state: str
    detail: str
    holder: str
    epoch: int
    flat: bool
    canceled: int
    reduced: int
    evidence: EvidenceRef


def execute(
    place: Place,
    wish: Wish,
    *,
    force: str | None,
    environment: MutableMapping[str, str],
    within_s: float | None = None,
) -> KillReport:
    """Kill the account. Refused when the holder cannot die; KillIncomplete when the venue is not proven flat."""
    if force is not None and force != place.account:
        raise ConfigError(f"--force {force!r} does not name the account", hint=f"type --force {place.account}")
    if not place.home.root.is_dir():
        raise Refused(f"there is no home at {place.located}: nothing was killed", hint="name it with --home")
    author = wish.author or user_name()
    answered = None if force is not None else _ask(place, wish)
    if answered is not None:
        return answered
    KillLatch(place.home.kill_latch(place.account), clock_ms=Clock().wall_ms).set(author, wish.reason)
    takeover = _Takeover(place, force is not None)
    try:
        return _flatten(place, wish, author, takeover, environment, within_s or FLAT_WITHIN_S)
    finally:
        takeover.release()


def _ask(place: Place, wish: Wish) -> KillReport | None:
    """The engine's own kill is the better one: it knows its orders in flight. None when it does not answer."""
    try:
        said = operate.execute(place, wish, within_s=ASK_WITHIN_S)
    except (EngineNotRunning, EngineHung):
        return None
    if not said.accepted:
        return None
    return KillReport(
        account=place.account,
        by="engine",
        author=said.author,
        state=said.state,
        detail=said.detail,
        holder="alive",
        epoch=0,
        flat=False,
        canceled=0,
        reduced=0,
        evidence=said.evidence,
    )


class _Takeover:
    """The lease, taken from whoever held it. Without one (forced) the epoch is the clock's."""

    def __init__(self, place: Place, forced: bool) -> None:
        path, account = place.home.lease(place.account), place.account
        now_s = Clock().wall_ms() // 1_000
        before = lease_file.read_holder(path)
        held = before is not None and before.alive and lease_file.is_locked(path)
        self.killed = held
        self.lease: lease_file.Lease | None = None
        self.holder = "none" if before is None else f"pid {before.pid} (epoch {before.epoch})"
        try:
            self.lease = lease_file.take_over(path, account=account, epoch_floor=1, now_s=now_s)
            self.holder += " killed" if held else " was gone"
        except Refused as error:
            if not forced:
                hint = f"its orders may still arrive; to act beside it: --force {account}"
                raise Refused(f"{error}; nothing was sent", hint=hint) from error
            self.holder += f" stays: {error}"
        self.epoch = self.lease.epoch if self.lease is not None else now_s

    def release(self) -> None:
        if self.lease is not None:
            self.lease.release()


def _flatten(
    place: Place,
    wish: Wish,
    author: str,
    takeover: _Takeover,
    environment: MutableMapping[str, str],
    within_s: float,
) -> KillReport:
    facts: dict[str, object] = {
        "account": place.account,
        "author": author,
        "said": wish.reason,
        "holder": takeover.holder,
        "epoch": takeover.epoch,
    }
    secrets = Secrets()
    try:
        settings = load(file=place.config, environment=environment).settings
        venue = _venue(place, settings, environment, secrets)
        mandate = _mandate(place, takeover, within_s)
        reserve = _reserve(place)
        try:
            done = flatten(venue, mandate, reserve.write if reserve is not None else lambda _: False)
        finally:
            if reserve is not None:
                reserve.close()
    except GridopsError as error:
        raise _incomplete(place, facts, secrets, error) from error
    return _told(place, facts, secrets, takeover, done, author)


def _told(
    place: Place, facts: dict[str, object], secrets: Secrets, takeover: _Takeover, done: Outcome, author: str
) -> KillReport:
    left = [*done.open_orders, *(f"{symbol} {held}" for symbol, held in done.positions.items())]
    facts |= {"flat": done.flat, "canceled": done.canceled, "reduced": done.reduced, "left": left}
    evidence = write(
        place.evidence_root,
        Story(
            mode=EvidenceMode.KILL,
            status=EvidenceStatus.OK if done.flat else EvidenceStatus.FAILED,
            reason="kill_switch" if done.flat else "not_flat",
            title=f"kill --direct of {place.account} by {author}: {'flat' if done.flat else 'NOT flat'}",
            facts=facts,
            files={"steps.jsonl": b"".join(json.dumps(each, default=str).encode() + b"\n" for each in done.steps)},
        ),
        secrets,
    )
    if not done.flat:
        raise KillIncomplete(
            f"account {place.account} is not flat: {', '.join(left) or 'the venue could not be read'}",
            hint="run it again; close by hand at the venue what stays",
            evidence=evidence,
            exit_code=ExitCode.VENUE,
        )
    return KillReport(
        account=place.account,
        by="direct",
        author=author,
        state="EMERGENCY",
        detail="flat by a venue read; the kill latch is set",
        holder=takeover.holder,
        epoch=takeover.epoch,
        flat=True,
        canceled=done.canceled,
        reduced=done.reduced,
        evidence=evidence,
    )


def _incomplete(place: Place, facts: dict[str, object], secrets: Secrets, error: GridopsError) -> KillIncomplete:
    story = Story(
        mode=EvidenceMode.KILL,
        status=EvidenceStatus.FAILED,
        reason="venue_not_reached",
        title=f"kill --direct of {place.account}: {error}",
        facts={**facts, "error": str(error)},
    )
    return KillIncomplete(
        f"holder {facts['holder']}; the kill latch is set; the venue was not reached: {error}",
        hint=error.hint,
        evidence=write(place.evidence_root, story, secrets),
        exit_code=error.exit_code,
    )


def _venue(place: Place, settings: Settings, environment: MutableMapping[str, str], secrets: Secrets) -> VenueSettings:
    """Where the account is. A paper venue is only attached to: one that does not run trades nothing."""
    symbols = _symbols(place, settings)
    if settings.venue.url != "paper":
        from gridops.usecases.venue_session import MarketOptions, open_session

        market = MarketOptions(market="", speed="1", from_ms=None, loop=False)
        store = place.home.paper_venue_dir(place.account)
        session = open_session(
            settings, market=market, store=store, armed=True, environment=environment, secrets=secrets
        )
        return _with_symbols(session.settings, symbols)
    handle = attach(place.home.paper_venue_dir(place.account))
    if handle is None:
        raise VenueUnavailable(
            f"no paper venue of account {place.account} runs in {place.located}",
            hint="nothing trades there; the next `gridops run` starts latched",
        )
    for secret in (handle.api_key, handle.api_secret, handle.control_token):
        secrets.register(secret)
    return VenueSettings(
        rest=handle.rest,
        ws=handle.ws,
        ws_api=handle.ws_api,
        api_key=handle.api_key,
        api_secret=handle.api_secret,
        symbols=tuple(symbol for symbol in symbols if symbol in handle.symbols),
    )


def _with_symbols(settings: VenueSettings, symbols: tuple[str, ...]) -> VenueSettings:
    return VenueSettings(
        rest=settings.rest,
        ws=settings.ws,
        ws_api=settings.ws_api,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        symbols=symbols,
    )


def _symbols(place: Place, settings: Settings) -> tuple[str, ...]:
    """The whitelist, and what the journal says was traded under an older one."""
    traded: set[str] = set()
    try:
        with JournalReader(place.home.journal(place.account)) as journal:
            traded = {order.symbol for order in journal.orders()}
    except JournalError:
        pass
    return tuple(dict.fromkeys([*settings.grid.symbols, *sorted(traded)]))


def _mandate(place: Place, takeover: _Takeover, within_s: float) -> Mandate:
    tag = sha256(place.account.encode()).hexdigest()[:4]
    tags: frozenset[str] | None = None
    try:
        with JournalReader(place.home.journal(place.account)) as journal:
            owners = [ids.owner(order.client_id) for order in journal.orders()]
        tags = frozenset({tag, *(owner.tag for owner in owners if owner is not None)})
    except JournalError:
        # Without a readable journal every order of gridops' making counts as ours: a kill errs on the side of less.
        tags = None
    settle_s = SETTLE_S if takeover.killed or takeover.lease is None else 0.0
    return Mandate(
        account=place.account, tag=tag, tags=tags, epoch=takeover.epoch, settle_s=settle_s, within_s=within_s
    )


def _reserve(place: Place) -> ReserveFile | None:
    try:
        return ReserveFile(place.home.reserve(place.account))
    except JournalError:
        return None
