"""The allow-list of venue payload fields that may stand in evidence: orders, trades, positions, balances, rules.

A field that is not here is blanked before it is written; add one only after looking at what the venue puts in it.
Account aliases, e-mail addresses, IP addresses, listen keys and API keys are left out on purpose.
"""

_ENVELOPE = "code msg data result id status rateLimits rateLimitType interval intervalNum limit count stream serverTime"
_ORDER = """
    symbol orderId clientOrderId origClientOrderId price avgPrice origQty executedQty cumQty cumQuote timeInForce type
    origType side positionSide reduceOnly closePosition stopPrice workingType priceProtect priceMatch goodTillDate
    selfTradePreventionMode activatePrice priceRate time updateTime transactTime
    modifyId amendment orig before after quantity newClientOrderId countdownTime isAutoCancelled autoCloseType
    orders orderList batchOrders clientOrderIds
"""
_TRADE = "tradeId qty quoteQty quoteAsset realizedPnl commission commissionAsset buyer maker pair baseQty marginAsset"
_POSITION = """
    positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit unrealizedProfit liquidationPrice leverage
    marginType isolatedMargin isolatedWallet isAutoAddMargin isolated notional maxNotional maxNotionalValue
    initialMargin maintMargin positionInitialMargin openOrderInitialMargin adl adlQuantile askNotional bidNotional
    dualSidePosition multiAssetsMargin bracket brackets initialLeverage notionalCap notionalFloor maintMarginRatio cum
"""
_BALANCE = """
    asset assets balance walletBalance marginBalance crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount
    marginAvailable positions feeTier canTrade canDeposit canWithdraw totalInitialMargin totalMaintMargin
    totalWalletBalance totalUnrealizedProfit totalMarginBalance totalPositionInitialMargin
    totalOpenOrderInitialMargin totalCrossWalletBalance totalCrossUnPnl
"""
_INCOME = "incomeType income info tranId"
_RULES = """
    symbols status contractType baseAsset deliveryDate onboardDate pricePrecision quantityPrecision filters
    filterType minPrice maxPrice tickSize minQty maxQty stepSize notional multiplierUp multiplierDown
    multiplierDecimal orderTypes triggerProtect marketTakeBound liquidationFee timezone makerCommissionRate
    takerCommissionRate
"""
_MARKET = """
    lastUpdateId bids asks bidPrice bidQty askPrice askQty lastPrice lastQty indexPrice estimatedSettlePrice
    lastFundingRate fundingRate fundingTime nextFundingTime interestRate
"""
# Stream events name their fields by one to three letters; `listenKey` and the account's alias are spelt out there.
_STREAM = """
    a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z
    ac ai ap bc bep cp cr cw dt ep ia iw ma mp mt mm pa pP pm ps pu rp sp si ss st up wb wt gtd
"""

VENUE_FIELDS: frozenset[str] = frozenset(
    " ".join((_ENVELOPE, _ORDER, _TRADE, _POSITION, _BALANCE, _INCOME, _RULES, _MARKET, _STREAM)).split()
)
