"""The emulator by hand: run it in the foreground, list the ones of a home, stop them in order."""

from pathlib import Path

from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError, ExitCode
from gridops.usecases.command_evidence import Story, newest, write
from gridops.usecases.place import Place
from gridops.venue.handle import VenueHandle, attach
from gridops.venue.options import VenueOptions

BY_HAND = "by-hand"


@record
class VenueSeen:
    name: str
    account: str
    pid: int
    rest: str
    market: str
    store: str


@record
class VenuesReport:
    home: str
    venues: tuple[VenueSeen, ...]
    evidence: EvidenceRef


@record
class Served:
    code: int
    evidence: EvidenceRef


def serve(place: Place, options: VenueOptions) -> Served:
    """Run a venue until it is stopped. It prints its one line itself; the evidence tells how it ended."""
    from gridops.venue import process

    place.home.ensure()
    code = process.serve(options)
    ok = code == ExitCode.OK
    story = Story(
        mode=EvidenceMode.VENUE,
        status=EvidenceStatus.OK if ok else EvidenceStatus.FAILED,
        reason="stopped" if ok else "venue_failed",
        title="the venue stopped in order" if ok else f"the venue ended with {code}",
        facts={"market": options.market, "store": str(options.store), "exit_code": code},
    )
    return Served(code=code, evidence=write(place.evidence_root, story))


def listing(place: Place) -> VenuesReport:
    """Every venue of this home that answers."""
    found = tuple(_seen(name, handle) for name, handle in _running(place))
    return VenuesReport(
        home=str(place.home.root), venues=found, evidence=newest(place.evidence_root, EvidenceMode.VENUE)
    )


def stop(place: Place, name: str | None) -> VenuesReport:
    """Stop one venue, or the only one. ConfigError when it does not run or several do; VenueUnavailable if it stays."""
    running = _running(place)
    chosen = [each for each in running if name in (None, each[0], each[1].account)]
    if not chosen:
        raise ConfigError(
            f"no venue {name or ''} runs in {place.located}".replace("  ", " "), hint="see `gridops venue list`"
        )
    if len(chosen) > 1:
        names = ", ".join(each[0] for each in chosen)
        raise ConfigError(f"several venues run: {names}", hint="name the one to stop")
    seen = _seen(*chosen[0])
    chosen[0][1].stop()
    story = Story(
        mode=EvidenceMode.VENUE,
        status=EvidenceStatus.OK,
        reason="stopped",
        title=f"stopped venue {seen.name} (pid {seen.pid})",
        facts={"account": seen.account, "market": seen.market, "store": seen.store},
    )
    return VenuesReport(home=str(place.home.root), venues=(seen,), evidence=write(place.evidence_root, story))


def reach(place: Place, name: str) -> VenueHandle | None:
    """The running venue of this home with that name or account; None when there is none."""
    return next((handle for known, handle in _running(place) if name in (known, handle.account)), None)


def store(place: Place, option: str | None) -> Path:
    """Where a venue run by hand keeps its account."""
    return Path(option) if option else place.home.root / "paper" / BY_HAND


def _running(place: Place) -> list[tuple[str, VenueHandle]]:
    folder = place.home.root / "paper"
    found = []
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        handle = attach(each)
        if handle is not None:
            found.append((each.name, handle))
    return found


def _seen(name: str, handle: VenueHandle) -> VenueSeen:
    return VenueSeen(
        name=name,
        account=handle.account,
        pid=handle.pid,
        rest=handle.rest,
        market=handle.market,
        store=str(handle.store),
    )
