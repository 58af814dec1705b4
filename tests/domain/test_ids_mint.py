"""Client ids are legal at the venue whatever they are minted from, say who minted them, and never repeat."""

import re

from gridops.domain import ids
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

LEGAL = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
"""The venue's own rule for newClientOrderId."""
TAGS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=4, max_size=4)


@settings(max_examples=examples(300))
@given(
    tag=TAGS, epoch=st.integers(0, 36**7 - 1), run_id=st.text(max_size=200), symbol=st.text(max_size=60),
    level=st.integers(-(10**9), 10**9), side=st.sampled_from(["BUY", "SELL"]), attempt=st.integers(0, 10**18),
    marker=st.sampled_from([ids.ORDINARY, ids.RESERVED]),
)  # fmt: skip
def test_any_names_make_a_legal_id_that_names_its_owner(
    tag: str, epoch: int, run_id: str, symbol: str, level: int, side: str, attempt: int, marker: str
) -> None:
    made = ids.mint(
        tag=tag, epoch=epoch, run_id=run_id, symbol=symbol, level=level, side=side, attempt=attempt, marker=marker
    )
    assert LEGAL.fullmatch(made) and len(made) == ids.LENGTH <= 36
    assert ids.owner(made) == ids.Owner(tag, epoch, marker == ids.RESERVED)


def test_many_ids_of_one_frozen_moment_differ() -> None:
    """No clock is part of an id: attempts, sides, levels and epochs tell them apart."""
    made = {
        ids.mint(
            tag="s1m0", epoch=epoch, run_id="run", symbol="BTCUSDT", level=level, side=side, attempt=attempt,
            marker=ids.ORDINARY,
        )
        for epoch in (1, 2)
        for level in range(-5, 5)
        for side in ("BUY", "SELL")
        for attempt in range(500)
    }  # fmt: skip
    assert len(made) == 2 * 10 * 2 * 500
