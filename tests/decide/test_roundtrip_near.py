"""Mids around many moments are those that counting and the path of the mid say of each of them."""

from random import Random

import pytest
from gridops.decide.roundtrip_marks import GAP_MS, Marks
from gridops.decide.roundtrip_near import Near
from tests.effort import examples

START_MS = 1_700_000_000_000


def walked(rng: Random, count: int) -> Marks:
    """Steps of nothing, of a few ms, and of just as long and longer than a mid is good for."""
    marks, at_ms = Marks(), START_MS
    for _ in range(count):
        marks.add(at_ms, rng.randint(1, 50))
        at_ms += rng.choice([0, 1, 2, 7, 60, 400, GAP_MS, GAP_MS + 1, 3 * GAP_MS])
    marks.close()
    return marks


@pytest.mark.parametrize("moments", [3, 40, 150])
def test_of_many_moments_it_says_what_is_said_of_each(moments: int) -> None:
    """With few moments the mids are searched, with many both are walked through: before, among and after all mids."""
    for seed in range(examples(60)):
        rng = Random(seed)
        marks = walked(rng, rng.choice([1, 2, 120]))
        first, last = START_MS - 9_000, marks.times[-1] + 9_000
        low = rng.randint(first, last)
        high = rng.randint(low, last)
        near = Near(marks, low, high, moments)
        late_ms = [rng.choice(marks.times) + rng.choice([0, 1, GAP_MS, GAP_MS + 1]) for _ in range(moments)]
        at_ms = sorted(rng.choice([rng.randint(low, high), *late_ms]) for _ in range(moments))
        at_ms = [each for each in at_ms if low <= each <= high]
        given = [each - near.origin for each in at_ms]
        base = max(0, sum(each < low for each in marks.times) - 1) if near.origin else 0
        before, up_to = near.places(given, after=False), near.places(given, after=True)
        assert [base + place for place in before] == [sum(each < at for each in marks.times) for at in at_ms]
        assert [base + place for place in up_to] == [sum(each <= at for each in marks.times) for at in at_ms]
        told, (mids, known) = [marks.at(at) for at in at_ms], near.mids(given)
        assert list(mids) == [mid or 0 for mid in told]
        assert list(known or [1] * len(told)) == [int(mid is not None) for mid in told]
        end = near.places([high - near.origin], after=True)[0]
        path = list(zip(marks.times, marks.mid2, strict=True))
        between = [[mid for each, mid in path if at <= each <= high] for at in at_ms]
        expected = [min(held, default=0) for held in between], [max(held, default=0) for held in between]
        assert near.spans(before, [end] * len(before)) == expected


def test_the_extremes_of_spans_of_any_length() -> None:
    rng, marks = Random(1), Marks()
    for at in range(40_000):
        marks.add(at, rng.randint(1, 10**6))
    marks.close()
    for length in (1, 2, 31, 64, 65, 127, 1_000, 2_047, 2_200, 39_000):
        for _ in range(4):
            left = rng.randint(0, len(marks) - length)
            held = marks.mid2[left : left + length]
            assert marks.span(left, left + length) == (min(held), max(held))


def test_the_extremes_of_long_spans_and_of_none() -> None:
    marks = Marks()
    for at in range(3_000):
        marks.add(START_MS + at, 100 + at + (at * 7919) % 1_000)
    marks.close()
    near = Near(marks, START_MS + 500, START_MS + 2_999, 3_000)
    first, beyond = [0, 0, 5, 7], [2_400, 10, 5, 8]
    mids = list(marks.mid2)[499:]
    cut = [mids[left:right] for left, right in zip(first, beyond, strict=True)]
    expected = [min(held, default=0) for held in cut], [max(held, default=0) for held in cut]
    assert near.spans(first, beyond) == expected


@pytest.mark.parametrize("moments", [1, 100])
def test_after_the_last_mid_none_is_known(moments: int) -> None:
    marks = Marks()
    for at in range(100):
        marks.add(START_MS + at, 7)
    marks.close()
    near = Near(marks, START_MS, START_MS + 200, moments)
    due_ms = [START_MS + at - near.origin for at in (99, 100, 101)]
    assert [list(each) for each in near.mids(due_ms)] == [[7, 0, 0], [1, 0, 0]]
