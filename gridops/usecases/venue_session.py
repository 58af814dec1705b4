"""Which venue a run trades on: the embedded paper venue, an emulator by URL, or the real one behind three locks.

Starts or re-attaches the paper venue, finds the credentials, and names the environment. Sends nothing.
"""

from collections.abc import MutableMapping
from pathlib import Path

from gridops.adapters import keys
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.redaction import Secrets
from gridops.config import Settings, is_emulator
from gridops.domain.values import record
from gridops.errors import ConfigError, Refused, VenueUnavailable
from gridops.venue.handle import VenueHandle, attach, spawn
from gridops.venue.options import VenueOptions

PAPER, BINANCE = "paper", "binance"


@record
class MarketOptions:
    """What the paper venue trades."""

    market: str
    speed: str
    from_ms: int | None
    loop: bool


@record
class VenueSession:
    """A venue ready to connect to. `handle` stands for the embedded paper venue only."""

    settings: VenueSettings
    fingerprint: str
    live: bool
    handle: VenueHandle | None
    started_here: bool


def open_session(
    settings: Settings,
    *,
    market: MarketOptions,
    store: Path,
    armed: bool,
    environment: MutableMapping[str, str],
    secrets: Secrets,
) -> VenueSession:
    """Find or start the venue of these settings. Refused unless all three locks of a live account are open."""
    url = settings.venue.url
    if url == PAPER:
        return _paper(settings, market, store, secrets)
    name, live = _check_url(settings, url)
    pair = keys.load(environment, secrets, account=settings.account.name)
    fingerprint = keys.fingerprint(venue=name, account=settings.account.name, api_key=pair.api_key)
    if live:
        _three_locks(settings, fingerprint, armed)
    return VenueSession(
        settings=addressed(settings, pair),
        fingerprint=fingerprint,
        live=live,
        handle=None,
        started_here=False,
    )


def addressed(settings: Settings, pair: keys.Keys) -> VenueSettings:
    """Where the venue of these settings is: the real one, or an emulator by the URL the settings have checked."""
    url = settings.venue.url
    base = None if url == BINANCE else url.rstrip("/")
    return VenueSettings(
        rest=base,
        ws=None if base is None else base.replace("http://", "ws://", 1),
        ws_api=None if base is None else base.replace("http://", "ws://", 1) + "/ws-fapi/v1",
        api_key=pair.api_key,
        api_secret=pair.api_secret,
        symbols=settings.grid.symbols,
    )


def _check_url(settings: Settings, url: str) -> tuple[str, bool]:
    if url == BINANCE:
        if settings.account.mode != "live":
            raise Refused(
                'the real venue needs account.mode = "live"',
                hint="set it in the file, confirm account.fingerprint, and pass --armed",
            )
        return BINANCE, True
    if not is_emulator(url):
        raise ConfigError(
            f"venue.url = {url!r} is refused", hint="allowed: paper, binance, or http://127.0.0.1:PORT of an emulator"
        )
    if settings.account.mode == "live":
        raise ConfigError(
            "account.mode = 'live' contradicts an emulator's URL", hint="live trades on venue.url = 'binance'"
        )
    return url, False


def _three_locks(settings: Settings, fingerprint: str, armed: bool) -> None:
    """mode = "live" in the file, --armed on the command line, and the account's fingerprint confirmed in the file."""
    if settings.account.fingerprint != fingerprint:
        said = settings.account.fingerprint or "nothing"
        raise ConfigError(
            f"account.fingerprint = {said} is refused: this key and account have {fingerprint}",
            hint="copy it into the file only when this is the account you mean",
        )
    if not armed:
        raise Refused("a live account is not armed", hint="pass --armed to let the engine place orders")


def attach_paper(settings: Settings, *, store: Path, secrets: Secrets) -> VenueSession:
    """The paper venue that runs on a store, whatever market it shows; VenueUnavailable when none does."""
    handle = attach(store)
    if handle is None:
        raise VenueUnavailable(
            f"no paper venue of account {settings.account.name} runs in {store.parent}",
            hint="nothing trades there; `gridops run` starts one and reconciles",
        )
    return _on(handle, settings, secrets, started=False)


def _paper(settings: Settings, market: MarketOptions, store: Path, secrets: Secrets) -> VenueSession:
    handle = attach(store)
    started = handle is None
    if handle is not None and (handle.market != market.market or handle.summary().get("market_ended")):
        # The account lives in the store; only the market it sees is another one.
        handle.stop()
        handle = None
        started = True
    if handle is None:
        handle = spawn(
            VenueOptions(
                store=store,
                market=market.market,
                speed=settings.venue.speed,
                from_ms=market.from_ms,
                loop=market.loop,
                wallet=settings.venue.wallet,
                hold=True,
            )
        )
    return _on(handle, settings, secrets, started=started)


def _on(handle: VenueHandle, settings: Settings, secrets: Secrets, *, started: bool) -> VenueSession:
    for secret in (handle.api_key, handle.api_secret, handle.control_token):
        secrets.register(secret)
    missing = [symbol for symbol in settings.grid.symbols if symbol not in handle.symbols]
    if missing:
        listed = ", ".join(handle.symbols)
        if started:
            handle.stop()
        raise VenueUnavailable(
            f"the paper market has no {', '.join(missing)}", hint=f"it trades {listed}: set grid.symbols to one of them"
        )
    return VenueSession(
        settings=VenueSettings(
            rest=handle.rest,
            ws=handle.ws,
            ws_api=handle.ws_api,
            api_key=handle.api_key,
            api_secret=handle.api_secret,
            symbols=settings.grid.symbols,
        ),
        fingerprint=f"paper-{handle.account}",
        live=False,
        handle=handle,
        started_here=started,
    )
