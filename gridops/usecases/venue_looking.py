"""Where a command that only looks finds its venue and keys. Starts nothing, opens no lock, sends nothing.

A paper venue is looked at where it runs; keys are read from a copy of the environment.
"""

from collections.abc import Mapping

from gridops.adapters import keys
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.redaction import Secrets
from gridops.config import Settings
from gridops.usecases.place import Place
from gridops.usecases.venue_session import PAPER, addressed, attach_paper


def find(place: Place, settings: Settings, environment: Mapping[str, str], secrets: Secrets) -> VenueSettings:
    """VenueUnavailable when no paper venue runs; ConfigError without keys for another one."""
    if settings.venue.url == PAPER:
        return attach_paper(settings, store=place.home.paper_venue_dir(place.account), secrets=secrets).settings
    return addressed(settings, keys.load(dict(environment), secrets, account=settings.account.name))
