"""Members of the vocabulary under plain names, for the code that runs at every market change.

Looking a member up on its class is slow on Python 3.11, slower than the comparison it serves; a name is looked up once.
It defines nothing of its own.
"""

from gridops.domain.vocabulary import Decision, Intent, OpKind, OrderState, OrderType, Side, TimeInForce

BUY, SELL = Side.BUY, Side.SELL
NOOP, AMEND, CANCEL_REPLACE = Decision.NOOP, Decision.AMEND, Decision.CANCEL_REPLACE
PLACE_OP, AMEND_OP, CANCEL_OP = OpKind.PLACE, OpKind.AMEND, OpKind.CANCEL
INCREASE, REDUCE, CANCEL = Intent.INCREASE, Intent.REDUCE, Intent.CANCEL
INTENT, SENT, OPEN, PARTIAL = OrderState.INTENT, OrderState.SENT, OrderState.OPEN, OrderState.PARTIAL
UNKNOWN = OrderState.UNKNOWN
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
GTX = TimeInForce.GTX
