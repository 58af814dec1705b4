"""At the touch the queue model fills no order before its queue is gone and every order between front and back."""

from pathlib import Path

import pytest
from gridops.venue.book import Side
from gridops.venue.market.sources import open_market
from gridops.venue.queue_report import Tally, judge, table

pytestmark = pytest.mark.simulation

RECORDINGS = ("btcusdt_20240718", "ethusdt_20240718", "btcusdt_20230404")


def judged(shared_data: Path, name: str) -> Tally:
    path = shared_data / "market" / "binance_usdm" / "raw_ws" / f"{name}.jsonl_ts.gz"
    return judge(open_market(f"recorded:{path}"))


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_model_lies_between_the_front_and_the_back_of_the_queue(shared_data: Path, name: str) -> None:
    tally = judged(shared_data, name)
    print(table(name, tally))
    assert tally.orders >= 40
    assert tally.front >= tally.model >= tally.back > 0
    assert (tally.too_early, tally.outside) == (0, 0)
    assert all(front <= model for front, model in tally.waits_ms)


def test_the_judge_sees_a_model_that_jumps_the_queue(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    join = Side.join

    def jump(side: Side, order: object) -> None:
        join(side, order)  # type: ignore[arg-type]
        order.ahead //= 2  # type: ignore[attr-defined]

    monkeypatch.setattr(Side, "join", jump)
    assert judged(shared_data, "btcusdt_20240718").too_early > 0
