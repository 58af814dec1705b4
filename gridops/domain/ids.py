"""Client order ids: <= 32 letters and digits, from which owner and lease epoch can be read and nothing else.

Layout: `go` + 4-character instance tag + lease epoch in base 36 (7) + marker + 18 hex of a hash of what the id names.
"""

from hashlib import sha256

from gridops.domain.values import value

PREFIX = "go"
_TAG, _EPOCH, _HASH = 4, 7, 18
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LENGTH = len(PREFIX) + _TAG + _EPOCH + 1 + _HASH
ORDINARY, RESERVED = "n", "r"
"""Marker of an ordinary id, and of one sent from the reserve when the journal could not commit."""

_VENUE_MADE = (
    ("adl_autoclose", "adl"),
    ("autoclose-", "liquidation"),
    ("settlement_autoclose-", "settlement"),
    ("delivery_autoclose-", "settlement"),
)
"""Prefixes the venue reserves for orders it makes itself."""


@value
class Owner:
    tag: str
    epoch: int
    reserved: bool


def base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


def mint(*, tag: str, epoch: int, run_id: str, symbol: str, level: int, side: str, attempt: int, marker: str) -> str:
    """The id of one intent; equal arguments give the equal id. `attempt` makes it unique per intent."""
    if len(tag) != _TAG or not tag.isalnum():
        raise ValueError(f"instance tag {tag!r} is not four letters or digits")
    named = f"{run_id}|{symbol}|{level}|{side}|{attempt}|{epoch}"
    digest = sha256(named.encode()).hexdigest()[:_HASH]
    return f"{PREFIX}{tag}{base36(epoch).rjust(_EPOCH, '0')}{marker}{digest}"


def owner(client_id: str) -> Owner | None:
    """Who minted the id, or None when it is not of our making."""
    if len(client_id) != LENGTH or not client_id.startswith(PREFIX) or not client_id.isascii():
        return None
    tag, epoch = client_id[2:6], client_id[6:13]
    marker, digest = client_id[13], client_id[14:]
    if marker not in (ORDINARY, RESERVED) or not tag.isalnum():
        return None
    if epoch.strip(_DIGITS) or digest.strip("0123456789abcdef"):
        return None
    return Owner(tag, int(epoch, 36), marker == RESERVED)


def venue_made(client_id: str) -> str:
    """What kind of order of the venue's own this is: `adl`, `liquidation`, `settlement`; empty for anybody else's."""
    return next((kind for prefix, kind in _VENUE_MADE if client_id.startswith(prefix)), "")


def reserved(client_id: str) -> str:
    """The same id in the reserved range: sent when neither journal nor reserve file could keep the intent."""
    return client_id[: LENGTH - _HASH - 1] + RESERVED + client_id[LENGTH - _HASH :]


def ordinary(client_id: str) -> str:
    """The id the intent was minted under; ids that are not ours stay as they are."""
    at = LENGTH - _HASH - 1
    if len(client_id) == LENGTH and client_id.startswith(PREFIX) and client_id[at] == RESERVED:
        return client_id[:at] + ORDINARY + client_id[at + 1 :]
    return client_id
