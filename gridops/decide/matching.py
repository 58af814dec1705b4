"""Which working order serves which target: an exact, order-preserving, one-to-one matching of least cost.

Pure arithmetic on two sequences sorted by price, below the router. It refuses nothing and knows no order: the cost of a
pair is asked of the caller.

The cost of a matching is the sum of its pairs plus `gap` for each target and each order left over. Order-preserving
means that of two matched targets the lower one has the lower order.

Why free pairs peel off at the ends. Let the first target t and the first order o cost nothing together. Take any
matching. (1) It pairs t with o: nothing to show. (2) It pairs t with a later order o': then o is free, since a partner
of o would have to come before t; t-o instead of t-o' costs no more, and as many stay over. (3) It pairs o with a later
target: the mirror image. (4) Both are left over: pairing them saves two gaps. In each case the order is kept, so some
best matching has t-o. The same holds at the other end. In the middle it does not: a pair that is free there may push
its neighbours apart, so the middle goes to dynamic programming.

Why a band of the table is enough. A path that leaves the diagonals between 0 and the difference in length by more than
`width` has more than `width` extra gaps on each side; if a path inside the band costs no more than those gaps, none
outside is better. Otherwise the band is doubled.

Why `free_width` is enough where it is given. It says that pairs further than that from the main diagonal cost at least
two gaps less a little, `gap` being more than half of any pair's cost and the rest of all costs being less than that
little. A path that leaves the band and comes back has at least one target and one order left over for it; walking along
the band's edge instead pairs everything it passes, which costs less. So no best path leaves it.
"""

from collections.abc import Callable

Pair = tuple[int, int]
"""Index of the target, index of the order."""
Costs = Callable[[int, int, int], list[int]]
Width = tuple[int, int]
"""How far below and above the main diagonal: the order before, or after, its target's own place."""
_NEVER = 1 << 200


def match(
    targets: int,
    orders: int,
    cost: Callable[[int, int], int],
    gap: int,
    free_width: Width | None = None,
    costs: Costs | None = None,
) -> list[Pair]:
    """Best matching of `targets` and `orders` (counts; both sorted by price, the same way), ascending.

    `cost(target, order)` >= 0. Ties are broken towards pairing, then towards leaving over an order: always the same.
    `free_width`: how many places before and after its target's own an order may come in a pair that is cheaper than a
    gap and a half. `costs(target, first, end)` says at once what `cost` says of the orders `first` to before `end`.
    """
    low = 0
    while low < targets and low < orders and cost(low, low) == 0:
        low += 1
    high = 0
    while high < targets - low and high < orders - low and cost(targets - 1 - high, orders - 1 - high) == 0:
        high += 1
    pairs = [(index, index) for index in range(low)]
    pairs += _middle(low, targets - high, orders - high, costs or _row_of(cost), gap, free_width)
    pairs += [(targets - index, orders - index) for index in range(high, 0, -1)]
    return pairs


def _middle(
    low: int, targets_end: int, orders_end: int, costs: Costs, gap: int, free_width: Width | None
) -> list[Pair]:
    rows, columns = targets_end - low, orders_end - low
    if not rows or not columns:
        return []
    if free_width is not None:
        return _trace(low, rows, columns, _table(low, rows, columns, costs, gap, free_width)[1])
    width = 2
    while True:
        total, moves = _table(low, rows, columns, costs, gap, (width, width))
        extra = 2 * (width + 1) + abs(columns - rows)
        if total <= extra * gap or width >= max(rows, columns):
            return _trace(low, rows, columns, moves)
        width *= 2


def _row_of(cost: Callable[[int, int], int]) -> Costs:
    return lambda target, first, end: [cost(target, order) for order in range(first, end)]


def _table(low: int, rows: int, columns: int, costs: Costs, gap: int, width: Width) -> tuple[int, list[bytearray]]:
    """Cost of the best path in the band, and per row its moves: 1 pairs, 2 leaves the order, 3 leaves the target."""
    below, above = _band(rows, columns, width)
    above_row = [column * gap if column <= above else _NEVER for column in range(columns + 1)]
    moves = [bytearray(b"\2" * (columns + 1))]
    for row in range(1, rows + 1):
        first, last = max(row - below, 0), min(row + above, columns)
        here = [_NEVER] * (columns + 1)
        chosen = bytearray(columns + 1)
        if first == 0:
            here[0], chosen[0], first = row * gap, 3, 1
        left = here[first - 1]
        for column, pair in enumerate(costs(low + row - 1, low + first - 1, low + last), first):
            best, move = above_row[column - 1] + pair, 1
            left += gap
            if left < best:
                best, move = left, 2
            up = above_row[column] + gap
            if up < best:
                best, move = up, 3
            here[column] = left = best
            chosen[column] = move
        above_row = here
        moves.append(chosen)
    return above_row[columns], moves


def _band(rows: int, columns: int, width: Width) -> Width:
    """How far below and above the main diagonal a path may go."""
    return width[0] + max(rows - columns, 0), width[1] + max(columns - rows, 0)


def _trace(low: int, rows: int, columns: int, moves: list[bytearray]) -> list[Pair]:
    pairs: list[Pair] = []
    row, column = rows, columns
    while row and column:
        move = moves[row][column]
        if move == 1:
            row, column = row - 1, column - 1
            pairs.append((low + row, low + column))
        elif move == 2:
            column -= 1
        else:
            row -= 1
    pairs.reverse()
    return pairs
