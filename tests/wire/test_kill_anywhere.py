"""An engine that dies at a hundred places by chance, in every state: the books after the next start are the venue's."""

from pathlib import Path

import pytest
from tests.wire.kill_sweep import random_points

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(3_400)]
SHARES = {
    "STARTING": 11, "INIT": 11, "READY": 11, "ACTIVE": 12, "THROTTLED": 11, "PAUSED": 11, "DEGRADED": 11,
    "EMERGENCY": 11, "STOPPING": 11,
}  # fmt: skip
"""Deaths by state: a hundred."""


@pytest.mark.parametrize("state", list(SHARES))
def test_killed_at_a_hundred_places_by_chance(tmp_path: Path, state: str) -> None:
    random_points(tmp_path, state, SHARES[state])
