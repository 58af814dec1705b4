"""Is everything ready for a run: settings, keys and what they may do, clock, disk, rules, sizes, modes, journal.

Each check stands alone and may fail in its own way; none of them crashes the others, and what could not be looked at is
`unknown`. Reads only, from the venue too; a paper venue is looked at where it runs and never started.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gridops.adapters import keys
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.redaction import Secrets, plain
from gridops.config import Loaded, Settings, load
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.instrument import Instrument
from gridops.domain.values import record
from gridops.errors import GridopsError, VenueUnavailable
from gridops.usecases import venue_looking
from gridops.usecases.command_evidence import Story, newest, write
from gridops.usecases.liveness import feel
from gridops.usecases.place import Place
from gridops.usecases.triage_read import disk_free, disk_needed
from gridops.usecases.venue_session import PAPER

OK, FINDING, UNKNOWN, SKIPPED = "ok", "finding", "unknown", "skipped"
VENUE_WITHIN_S = 20.0
VERIFY_MOST = 200_000
"""Rows of a journal that are verified whole; of a longer one only what a start reads."""


@record
class Check:
    """One thing looked at. `answer` is ok, finding, unknown or skipped; `hint` says what to do about a finding."""

    name: str
    answer: str
    detail: str
    hint: str = ""


@record
class DoctorReport:
    account: str
    home: str
    checks: tuple[Check, ...]
    fingerprint: str
    """Of this key and account, to be confirmed in the file; empty where there is no key."""
    evidence: EvidenceRef

    @property
    def ok(self) -> bool:
        return all(each.answer != FINDING for each in self.checks)


def execute(place: Place, environment: Mapping[str, str], *, bundle: bool = False) -> DoctorReport:
    """Look at everything once. Never raises for what it finds."""
    secrets, loaded, checks = Secrets(), None, []
    try:
        loaded = load(file=place.config, environment=environment)
        checks.append(Check(name="config", answer=OK, detail=f"{place.config or 'defaults'}, {_digest(loaded)}"))
    except GridopsError as error:
        checks.append(_refusal("config", error))
    settings = Settings() if loaded is None else loaded.settings
    checks.append(_guarded("disk", lambda: _disk(place, loaded)))
    checks.append(_guarded("journal", lambda: _journal(place)))
    checks.append(_guarded("engine", lambda: _engine(place)))
    fingerprint = ""
    if loaded is None:
        names = ("keys", "venue", "clock", "filters", "size", "position mode", "permissions", "dead-man")
        checks += [Check(name=name, answer=SKIPPED, detail="the settings are refused") for name in names]
    else:
        key_check, fingerprint = _keys(settings, environment, secrets)
        checks.append(key_check)
        checks += _venue(place, settings, environment, secrets)
    told = tuple(_clean(each, secrets) for each in checks)
    return DoctorReport(
        account=place.account,
        home=str(place.located),
        checks=told,
        fingerprint=fingerprint,
        evidence=_evidence(place, told, secrets, bundle=bundle),
    )


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check that cannot take the others down with it."""
    try:
        return look()
    except GridopsError as error:
        return _refusal(name, error)
    except Exception as error:
        return Check(name=name, answer=UNKNOWN, detail=f"{type(error).__name__}: {error}"[:300])


def _refusal(name: str, error: GridopsError) -> Check:
    return Check(name=name, answer=FINDING, detail=str(error), hint=error.hint or "")


def _clean(check: Check, secrets: Secrets) -> Check:
    words = (plain(secrets.redact(text)) for text in (check.detail, check.hint))
    detail, hint = words
    return Check(name=check.name, answer=check.answer, detail=detail, hint=hint)


def _digest(loaded: Loaded) -> str:
    return f"digest {loaded.settings.digest[:12]}"


def _disk(place: Place, loaded: Loaded | None) -> Check:
    said = 0 if loaded is None else loaded.settings.operations.min_free_mb
    free, needed = disk_free(place.home.root), disk_needed(said)
    if free is None:
        return Check(name="disk", answer=UNKNOWN, detail="free space is not known")
    detail = f"{free // 1_000_000} MB free, needed {needed // 1_000_000} MB"
    return Check(
        name="disk", answer=OK if free >= needed else FINDING, detail=detail,
        hint="" if free >= needed else "`gridops evidence prune --keep 200`, or operations.min_free_mb",
    )  # fmt: skip


def _journal(place: Place) -> Check:
    path = place.home.journal(place.account)
    if not path.exists():
        return Check(name="journal", answer=OK, detail=f"none yet at {path}")
    with JournalReader(path) as reader:
        rows = reader.count()
        if rows > VERIFY_MOST:
            newest = reader.last_row()
            seq = newest.seq if newest is not None else 0
            return Check(
                name="journal", answer=UNKNOWN, detail=f"{rows} rows, newest {seq}: too many to verify here",
                hint="`gridops replay` verifies every row",
            )  # fmt: skip
        reader.verify_all()
        return Check(name="journal", answer=OK, detail=f"{rows} rows, every row, segment and checkpoint verified")


def _engine(place: Place) -> Check:
    pulse = feel(place.home, place.account)
    answer = FINDING if pulse.process.value == "hung" else OK
    return Check(
        name="engine", answer=answer, detail=f"{pulse.process.value}: {pulse.detail or pulse.pid or ''}",
        hint="`gridops kill --direct`" if answer == FINDING else "",
    )  # fmt: skip


def _keys(settings: Settings, environment: Mapping[str, str], secrets: Secrets) -> tuple[Check, str]:
    """The keys and the account's fingerprint. A copy of the environment is read: nothing is taken out of it."""
    if settings.venue.url == PAPER:
        return Check(name="keys", answer=OK, detail="the paper venue needs none"), ""
    try:
        pair = keys.load(dict(environment), secrets, account=settings.account.name)
    except GridopsError as error:
        return _refusal("keys", error), ""
    told = keys.fingerprint(venue=settings.venue.url, account=settings.account.name, api_key=pair.api_key)
    wanted = settings.account.fingerprint
    if settings.account.mode == "live" and wanted != told:
        detail = (
            f"from the {pair.source}; account.fingerprint = {wanted or 'nothing'}, this key and account have {told}"
        )
        return Check(name="keys", answer=FINDING, detail=detail, hint="copy it only for the account you mean"), told
    return Check(name="keys", answer=OK, detail=f"from the {pair.source}"), told


def _venue(place: Place, settings: Settings, environment: Mapping[str, str], secrets: Secrets) -> list[Check]:
    try:
        session = venue_looking.find(place, settings, environment, secrets)
    except VenueUnavailable as error:
        answer = SKIPPED if settings.venue.url == PAPER else UNKNOWN
        return [Check(name="venue", answer=answer, detail=str(error), hint=error.hint or "")]
    except GridopsError as error:
        return [_refusal("venue", error)]
    checks: list[Check] = []
    try:
        asyncio.run(asyncio.wait_for(_ask(session, settings, checks), VENUE_WITHIN_S))
    except TimeoutError:
        checks.append(Check(name="venue", answer=UNKNOWN, detail=f"no whole answer within {VENUE_WITHIN_S:.0f} s"))
    except GridopsError as error:
        checks.append(_refusal("venue", error))
    except Exception as error:
        # A library's own words may hold a signed address: only the kind is told, and what our reader said of a read.
        told = getattr(error, "detail", "")
        checks.append(Check(name="venue", answer=FINDING, detail=f"{type(error).__name__} {told}".rstrip()[:300]))
    return checks


async def _ask(session: VenueSettings, settings: Settings, checks: list[Check]) -> None:
    """Clock, rules, modes, permissions and foreign orders, by reads alone."""
    from gridops.adapters.venue_queries import VenueReads
    from gridops.adapters.venue_wire import Wire

    clock = Clock()
    wire = Wire(session, clock, lambda _: None)
    grids: dict[str, Any] = {}
    reads = VenueReads(wire=wire, symbols=session.symbols, grids=lambda: grids, put=lambda _: None)
    try:
        offsets = [await reads.offset_ms(clock.wall_ms) for _ in range(3)]
        checks.append(Check(name="venue", answer=OK, detail=session.rest or "binance"))
        checks.append(_clock(sorted(offsets)[1], settings))
        instruments = await reads.rules()
        checks += _filters(instruments, settings)
        modes, isolated = await reads.modes(), await reads.isolated_symbols()
        checks.append(_modes(modes.hedge, modes.multi_assets, isolated))
        checks.append(
            Check(name="trading", answer=OK, detail="the key may trade")
            if modes.can_trade
            else Check(name="trading", answer=FINDING, detail="the account may not trade", hint="look at the API key")
        )
        checks.append(await _permissions(wire, real=session.rest is None))
    finally:
        with contextlib.suppress(Exception):
            await wire.close()


def _clock(offset_ms: int, settings: Settings) -> Check:
    limit_ms = int(settings.health.clock_skew_seconds * 1_000)
    good = abs(offset_ms) < limit_ms
    return Check(
        name="clock", answer=OK if good else FINDING, detail=f"{offset_ms} ms to the venue, limit {limit_ms} ms",
        hint="" if good else "start the machine's time service",
    )  # fmt: skip


def _filters(instruments: tuple[Instrument, ...], settings: Settings) -> list[Check]:
    """The rules of each whitelisted symbol, and what size of a rung they and our caps leave."""
    known = {each.symbol: each for each in instruments}
    checks = []
    for symbol in settings.grid.symbols:
        made = known.get(symbol)
        if made is None or not made.trading:
            word = "is not listed" if made is None else "is not trading"
            checks.append(Check(name="filters", answer=FINDING, detail=f"{symbol} {word}", hint="set grid.symbols"))
            continue
        detail = f"{symbol} tick {made.tick_size}, step {made.step_size}, minimum {made.min_notional}"
        checks += [Check(name="filters", answer=OK, detail=detail), _size(made, settings)]
    return checks or [Check(name="filters", answer=FINDING, detail="no symbol is whitelisted", hint="set grid.symbols")]


def _size(made: Instrument, settings: Settings) -> Check:
    """A rung must reach the minimum notional and fit the smallest cap; all rungs of one side fit the symbol's cap."""
    risk, levels = settings.risk, settings.grid.levels
    low, high = made.min_notional, min(risk.max_order_notional, risk.symbol_cap)
    detail = f"{made.symbol}: a rung of {low} to {high} {made.settle_asset}"
    fixed = settings.grid.rung_notional
    if high < low or (fixed and not low <= fixed <= high):
        return Check(name="size", answer=FINDING, detail=detail, hint="set grid.rung_notional or risk.symbol_cap")
    share = risk.symbol_cap / Decimal(levels)
    full = f", {levels} rungs fill the cap at {share:.2f} each"
    return Check(name="size", answer=OK, detail=detail + full)


def _modes(hedge: bool, multi: bool, isolated: tuple[str, ...]) -> Check:
    wrong = [name for name, held in (("hedge", hedge), ("multi-assets", multi)) if held]
    wrong += [f"isolated margin on {each}" for each in isolated]
    if wrong:
        hint = "one-way, single-asset, cross; change it while flat"
        return Check(name="position mode", answer=FINDING, detail=", ".join(wrong), hint=hint)
    return Check(name="position mode", answer=OK, detail="one-way, single-asset, cross")


async def _permissions(wire: Any, *, real: bool) -> Check:
    """Whether the key may withdraw. The real venue says it of the key, an emulator of the account (GET v2/account)."""
    endpoint = "sapiGetAccountApiRestrictions" if real else "fapiPrivateV2GetAccount"
    word = "enableWithdrawals" if real else "canWithdraw"
    reply = await wire.call(endpoint, {})
    told = reply.payload if isinstance(reply.payload, dict) else {}
    if word not in told:
        return Check(name="permissions", answer=UNKNOWN, detail="the venue does not say what the key may do")
    if told[word] in (True, "true"):
        hint = "make a key without the permission to withdraw; none is needed"
        return Check(name="permissions", answer=FINDING, detail="this key may withdraw", hint=hint)
    return Check(name="permissions", answer=OK, detail="no permission to withdraw")


def _evidence(place: Place, checks: tuple[Check, ...], secrets: Secrets, *, bundle: bool) -> EvidenceRef:
    if not bundle:
        return newest(place.evidence_root, EvidenceMode.DOCTOR)
    wrong = [each for each in checks if each.answer == FINDING]
    story = Story(
        mode=EvidenceMode.DOCTOR,
        status=EvidenceStatus.FINDING if wrong else EvidenceStatus.OK,
        reason=wrong[0].name.replace(" ", "_") if wrong else "ready",
        title=f"doctor: {len(wrong)} findings",
        facts={"account": place.account, "checks": [f"{c.name}: {c.answer} {c.detail}".rstrip() for c in checks]},
    )
    return write(place.evidence_root, story, secrets)
