"""Where a command that only looks finds its venue and keys. Starts nothing, opens no lock, sends nothing.

A paper venue is looked at where it runs; keys are read from a copy of the environment.
"""

from collections.abc import Mapping

from gridops.adapters import keys
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.redaction import Secrets
from gridops.config import Settings
from gridops.errors import VenueUnavailable
from gridops.usecases.place import Place
from gridops.usecases.venue_session import BINANCE, PAPER
from gridops.venue.handle import attach


def find(place: Place, settings: Settings, environment: Mapping[str, str], secrets: Secrets) -> VenueSettings:
    """VenueUnavailable when no paper venue runs; ConfigError without keys for another one."""
    url = settings.venue.url
    if url == PAPER:
        return _paper(place, settings, secrets)
    pair = keys.load(dict(environment), secrets, account=settings.account.name)
    base = None if url == BINANCE else url.rstrip("/")
    return VenueSettings(
        rest=base,
        ws=None if base is None else base.replace("http://", "ws://", 1),
        ws_api=None if base is None else base.replace("http://", "ws://", 1) + "/ws-fapi/v1",
        api_key=pair.api_key,
        api_secret=pair.api_secret,
        symbols=settings.grid.symbols,
    )


def _paper(place: Place, settings: Settings, secrets: Secrets) -> VenueSettings:
    handle = attach(place.home.paper_venue_dir(place.account))
    if handle is None:
        raise VenueUnavailable("no paper venue runs", hint="`gridops run` starts one")
    for secret in (handle.api_key, handle.api_secret, handle.control_token):
        secrets.register(secret)
    return VenueSettings(
        rest=handle.rest,
        ws=handle.ws,
        ws_api=handle.ws_api,
        api_key=handle.api_key,
        api_secret=handle.api_secret,
        symbols=settings.grid.symbols,
    )
