"""Order ids that are not ours: which the venue reserves for orders it makes itself."""

import pytest
from gridops.domain import ids


@pytest.mark.parametrize(
    ("client_id", "kind"),
    [
        ("adl_autoclose", "adl"),
        ("autoclose-1722470400123456", "liquidation"),
        ("settlement_autoclose-1722470400", "settlement"),
        ("delivery_autoclose-1722470400", "settlement"),
        ("web_autoclose-1", ""),
        ("", ""),
    ],
)
def test_orders_the_venue_makes_itself_are_told_by_their_names(client_id: str, kind: str) -> None:
    assert ids.venue_made(client_id) == kind
