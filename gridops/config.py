"""Settings: read once at the edge, frozen, unknown keys refused. Inner code gets the slice it needs.

Option > environment (`GRIDOPS_GRID__LEVELS`) > file (`gridops.toml`) > default; every value remembers where it came
from. Fractions are parts of one (0.05), never percent. Secrets are not settings: see `gridops.secrets`.
"""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from gridops.domain.rules import (
    BudgetRules,
    DeadmanRules,
    GridRules,
    HealthRules,
    RiskRules,
    RouterRules,
    Rules,
    SyncRules,
)
from gridops.domain.vocabulary import FsmReason, OnBreach, StopMode
from gridops.errors import ConfigError
from gridops.toml_text import read_toml

FILE = "gridops.toml"
ENV = "GRIDOPS_"
_SECRET = re.compile("secret|key|passw|token", re.IGNORECASE)
"""A name like this may hold what must not be repeated, not even in a refusal."""
_KEYS_HINT = (
    "keys come from the environment (GRIDOPS_API_KEY), service credentials or the OS keyring, never from a file"
)
_EMULATOR = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}/?")
_LISTS = frozenset({"symbols", "shadow", "auto"})
NOT_SETTINGS = frozenset({"HOME", "EVIDENCE_DIR", "API_KEY", "API_SECRET", "NOTIFY_URLS"})

Bps = Annotated[Decimal, Field(ge=Decimal("0.01"), le=1_000)]
"""A hundredth is the finest the engine counts in."""
Fraction = Annotated[Decimal, Field(ge=0, lt=1)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"))]
Seconds = Annotated[Decimal, Field(gt=0, le=86_400)]
WholeBps = Annotated[int, Field(ge=1, le=10_000)]
Price = Annotated[Decimal, Field(ge=0, le=Decimal("1e12"))]
Breach = Literal["flatten", "reduce_to_cap", "cancel_only"]


def is_emulator(url: str) -> bool:
    """Whether a URL is one of this machine and nothing else."""
    return _EMULATOR.fullmatch(url) is not None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, given: Any, about: ValidationInfo) -> Any:
        """`true` would count as 1."""
        if isinstance(given, bool) and cls.model_fields[str(about.field_name)].annotation is not bool:
            raise ValueError("true and false are no numbers")
        return given


class AccountSection(_Section):
    name: str = Field("paper", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="names the journal and the lease")
    mode: Literal["paper", "live"] = Field("paper", description="live needs --armed and a confirmed fingerprint too")
    fingerprint: str = Field("", pattern=r"^[0-9a-f]{0,64}$", description="of the live account, as doctor prints it")


class VenueSection(_Section):
    url: str = Field("paper", description="paper, binance, or the http URL of an emulator on this machine")
    market: str = Field("synthetic:7", description="what the paper venue trades: synthetic:SEED or recorded:PATH")
    speed: Decimal = Field(Decimal(1), gt=0, le=1_000, description="scales the paper market, never a clock of ours")
    wallet: Money = Field(Decimal(10_000), description="opening wallet of a fresh paper account, USDT")

    @field_validator("url")
    @classmethod
    def _known_place(cls, given: str) -> str:
        """The whole of it: what only begins like our machine may lead to another host."""
        if given not in ("paper", "binance") and not is_emulator(given):
            raise ValueError("it is none of paper, binance, http://127.0.0.1:PORT of an emulator")
        return given


class GridSection(_Section):
    symbols: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}$")], ...] = Field(
        ("BTCUSDT",), description="the whitelist; empty trades nothing"
    )
    levels: int = Field(10, ge=1, le=50, description="rungs on each side")
    spacing_bps: Bps = Field(Decimal(2), description="distance of rungs; at regular fees a trip costs 4 bps")
    max_spacing_bps: Bps = Field(Decimal(100), description="widest spacing volatility may ask for")
    volatility_scaled: bool = Field(True, description="widen with realised volatility")
    volatility_share: Annotated[Decimal, Field(ge=0, le=10)] = Field(
        Decimal("0.5"), description="spacing asked for, as a part of one minute's deviation"
    )
    regime_scaled: bool = Field(True, description="scale spacing and size by the market's regime")
    first_level: Annotated[Decimal, Field(gt=0, le=2)] = Field(
        Decimal("0.5"), description="distance of the first rung, as a part of the spacing"
    )
    skew: Annotated[Decimal, Field(ge=0, le=2)] = Field(
        Decimal("0.5"), description="shift of the centre at full inventory, as a part of the half ladder"
    )
    refill_seconds: Annotated[Decimal, Field(ge=0, le=3_600)] = Field(Decimal(1), description="pause after a fill")
    rung_fraction: Annotated[Decimal, Field(gt=0, lt=1)] = Field(
        Decimal("0.01"), description="notional of a rung, as a part of equity"
    )
    rung_notional: Annotated[Decimal, Field(ge=0, le=Decimal("1e9"))] = Field(
        Decimal(0), description="fixed notional of a rung; 0 = from equity"
    )
    hold_band: Annotated[Decimal, Field(ge=0, le=5)] = Field(
        Decimal(1), description="an order stays while within this part of the spacing from its target"
    )
    low_price: Price = Field(Decimal(0), description="the grid pauses below it; 0 = no lower bound")
    high_price: Price = Field(Decimal(0), description="the grid pauses above it; 0 = no upper bound")

    @model_validator(mode="after")
    def _range(self) -> "GridSection":
        if self.high_price and self.low_price >= self.high_price:
            raise ValueError(f"low_price = {self.low_price} is not below high_price = {self.high_price}")
        return self


class RiskSection(_Section):
    symbol_cap: Money = Field(Decimal(20_000), description="worst-case exposure of one symbol, settlement asset")
    account_cap: Money = Field(Decimal(20_000), description="worst-case exposure of the account")
    max_order_notional: Money = Field(Decimal(5_000), description="of one order")
    max_pending: int = Field(40, ge=1, le=200, description="live and unknown orders of one symbol")
    max_drawdown: Fraction = Field(Decimal("0.05"), description="fall from the peak that ends in EMERGENCY")
    daily_drawdown: Fraction = Field(Decimal("0.03"), description="fall within a UTC day that pauses")
    max_margin_ratio: Fraction = Field(Decimal("0.8"), description="maintenance margin over balance")
    churn_per_hour: int = Field(6_000, ge=1, le=72_000, description="risk-raising writes")
    on_kill: Breach = Field("flatten", description="what EMERGENCY does about the position after a kill")
    on_drawdown: Breach = Field("flatten", description="the same after a drawdown")
    on_margin: Breach = Field("flatten", description="the same when the margin is critical")
    on_exposure: Breach = Field("reduce_to_cap", description="the same when a filled position is above its cap")

    @model_validator(mode="after")
    def _ordered(self) -> "RiskSection":
        if self.daily_drawdown > self.max_drawdown:
            raise ValueError(
                f"daily_drawdown = {self.daily_drawdown} is above max_drawdown = {self.max_drawdown}: "
                "the pause would never come before the emergency"
            )
        if self.symbol_cap > self.account_cap:
            raise ValueError(f"symbol_cap = {self.symbol_cap} is above account_cap = {self.account_cap}")
        return self


class HealthSection(_Section):
    feed_stale_seconds: Seconds = Field(Decimal(3), description="market silence that degrades")
    clock_skew_seconds: Seconds = Field(Decimal(1), description="largest offset to the venue's clock after correction")
    dwell_seconds: Seconds = Field(Decimal(30), description="time good before a restrictive state is left")
    unknown_order_seconds: Seconds = Field(Decimal(15), description="age at which one unknown order degrades")
    filters_stale_seconds: Seconds = Field(Decimal(3_600), description="age of the trading rules that degrades")
    sync_stale_seconds: Seconds = Field(Decimal(90), description="time without a full reconcile that degrades")
    loop_lag_seconds: Seconds = Field(Decimal(1), description="lag of our own loop that degrades")
    spread_low_bps: WholeBps = Field(5, description="below it a wide spread counts as over")
    spread_mid_bps: WholeBps = Field(10, description="spread that throttles")
    spread_high_bps: WholeBps = Field(50, description="spread that pauses")
    shadow: tuple[str, ...] = Field((), description="conditions recorded without effect, to tune their thresholds")
    signals_live: bool = Field(False, description="test signals by `gridops fsm signal` in live mode too")

    @field_validator("shadow")
    @classmethod
    def _shadows(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Thresholds of ours may be tried out without effect, what protects the account may not."""
        if not given:
            return given
        from gridops.decide.levels import SHADOWABLE

        for name in given:
            if name not in SHADOWABLE:
                raise ValueError(
                    f"{name[:40]} may not be in shadow: kill, lease, drawdown, journal and whatever else latches or "
                    f"makes our own word doubtful always act; possible are {', '.join(SHADOWABLE)}"
                )
        return tuple(dict.fromkeys(given))

    @model_validator(mode="after")
    def _bands(self) -> "HealthSection":
        if not self.spread_low_bps < self.spread_mid_bps <= self.spread_high_bps:
            raise ValueError(
                f"spread_low_bps = {self.spread_low_bps}, spread_mid_bps = {self.spread_mid_bps} and "
                f"spread_high_bps = {self.spread_high_bps} are not in this order"
            )
        return self


class SyncSection(_Section):
    auto: tuple[Literal["import", "adopt", "unattributed"], ...] = Field(
        ("import", "adopt"), description="remedies the engine carries out by itself; others wait for sync --apply"
    )


class OperationsSection(_Section):
    stop_mode: Literal["cancel", "leave", "reduce", "flatten"] = Field("cancel", description="what a stop does")
    deadman: bool = Field(True, description="venue-side countdown that cancels our orders if we fall silent")
    deadman_seconds: Annotated[int, Field(ge=10, le=3_600)] = Field(120, description="countdown")
    beat_seconds: Annotated[int, Field(ge=1, le=1_200)] = Field(30, description="time between beats")
    metrics_port: int = Field(0, ge=0, le=65_535, description="loopback; 0 = a free port")
    min_free_mb: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        256, description="free disk space below which trading degrades; 0 = never"
    )
    log_stderr: bool = Field(False, description="log lines on stderr too when headless")

    @model_validator(mode="after")
    def _beats(self) -> "OperationsSection":
        if self.beat_seconds * 2 > self.deadman_seconds:
            raise ValueError(
                f"beat_seconds = {self.beat_seconds} is above half of deadman_seconds = {self.deadman_seconds}"
            )
        return self


class NotifySection(_Section):
    """Messages sent by the engine itself; their targets are secrets and stand in GRIDOPS_NOTIFY_URLS."""

    level: Literal["off", "critical", "warn"] = Field("off", description="what is worth a message")
    per_minute: Annotated[int, Field(ge=1, le=60)] = Field(6, description="messages a minute; EMERGENCY always")
    repeat_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(300, description="the same is not said again within")


class Settings(_Section):
    """Everything an operator can set."""

    account: AccountSection = AccountSection()
    venue: VenueSection = VenueSection()
    grid: GridSection = GridSection()
    risk: RiskSection = RiskSection()
    health: HealthSection = HealthSection()
    sync: SyncSection = SyncSection()
    operations: OperationsSection = OperationsSection()
    notify: NotifySection = NotifySection()

    @property
    def digest(self) -> str:
        """sha256 of the effective values, for the evidence."""
        return sha256(self.model_dump_json().encode()).hexdigest()

    def rules(self) -> Rules:
        """The slice the engine decides with."""
        grid, risk, health, ops = self.grid, self.risk, self.health, self.operations
        return Rules(
            symbols=grid.symbols,
            grid=GridRules(
                levels=grid.levels,
                spacing_cbps=int(grid.spacing_bps * 100),
                max_spacing_cbps=int(grid.max_spacing_bps * 100),
                volatility_scaled=grid.volatility_scaled,
                volatility_multiple_pct=int(grid.volatility_share * 100),
                regime_scaled=grid.regime_scaled,
                first_level_pct=int(grid.first_level * 100),
                skew_pct=int(grid.skew * 100),
                refill_delay_ms=int(grid.refill_seconds * 1_000),
                rung_fraction_bps=int(grid.rung_fraction * 10_000),
                rung_notional=grid.rung_notional,
                low_price=grid.low_price,
                high_price=grid.high_price,
            ),
            risk=RiskRules(
                symbol_cap=risk.symbol_cap,
                account_cap=risk.account_cap,
                max_order_notional=risk.max_order_notional,
                max_pending=risk.max_pending,
                max_drawdown_bps=int(risk.max_drawdown * 10_000),
                daily_drawdown_bps=int(risk.daily_drawdown * 10_000),
                margin_ratio_bps=int(risk.max_margin_ratio * 10_000),
                churn_per_hour=risk.churn_per_hour,
                on_kill=OnBreach(risk.on_kill),
                on_drawdown=OnBreach(risk.on_drawdown),
                on_margin=OnBreach(risk.on_margin),
                on_exposure=OnBreach(risk.on_exposure),
            ),
            health=HealthRules(
                feed_stale_ms=int(health.feed_stale_seconds * 1_000),
                clock_skew_ms=int(health.clock_skew_seconds * 1_000),
                dwell_ms=int(health.dwell_seconds * 1_000),
                orders_unknown_ms=int(health.unknown_order_seconds * 1_000),
                filters_stale_ms=int(health.filters_stale_seconds * 1_000),
                sync_stale_ms=int(health.sync_stale_seconds * 1_000),
                loop_lag_ms=int(health.loop_lag_seconds * 1_000),
                spread_low_bps=health.spread_low_bps,
                spread_mid_bps=health.spread_mid_bps,
                spread_high_bps=health.spread_high_bps,
                shadow=tuple(FsmReason(name) for name in health.shadow),
                signals_live=health.signals_live,
            ),
            router=RouterRules(hold_band_pct=int(grid.hold_band * 100)),
            budget=BudgetRules(),
            sync=SyncRules(auto=self.sync.auto),
            deadman=DeadmanRules(
                enabled=ops.deadman, countdown_ms=ops.deadman_seconds * 1_000, beat_ms=ops.beat_seconds * 1_000
            ),
            stop_mode=StopMode(ops.stop_mode),
        )


class Loaded(BaseModel):
    """Settings with the source of each value: `option`, `environment NAME`, `file PATH` or `default`."""

    model_config = ConfigDict(frozen=True)
    settings: Settings
    sources: dict[str, str]


def load(*, file: Path | None, environment: Mapping[str, str], options: Mapping[str, Any] | None = None) -> Loaded:
    """Merge the layers and validate. ConfigError names key, value and allowed range; nothing is taken by half."""
    values: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    if file is not None:
        _merge(values, sources, _read(file), f"file {file}")
    _merge(values, sources, _from_environment(environment), "environment")
    _merge(values, sources, _nested(options or {}), "option")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, sources) from error
    return Loaded(settings=settings, sources=sources)


def _read(file: Path) -> dict[str, Any]:
    text = read_toml(file)
    try:
        return tomllib.loads(text, parse_float=_number)
    except (tomllib.TOMLDecodeError, ArithmeticError, RecursionError) as error:
        raise _not_toml(file, text, str(error)) from error


def _number(text: str) -> Decimal:
    """ArithmeticError for a number so large or small that converting it would take for ever."""
    number = Decimal(text)
    if number.is_finite() and abs(number.adjusted()) > 30:
        raise ArithmeticError(f"{text[:40]} is beyond any range here")
    return number


def _not_toml(file: Path, text: str, said: str) -> ConfigError:
    """Name the line, and the key when it stands twice: the parser says only where it noticed."""
    found = re.search(r"at line (\d+)|at end of document", said)
    if found is None:
        return ConfigError(f"{file}: {said}", hint="every value must be TOML")
    lines = text.splitlines()
    number = int(found[1] or len(lines))
    key = lines[number - 1].partition("=")[0].strip()[:80] if number <= len(lines) else ""
    if said.startswith(("Cannot overwrite", "Cannot declare")):
        return ConfigError(f"{file}, line {number}: {key} stands twice", hint="keep one of the two")
    return ConfigError(f"{file}, line {number}: {said.partition(' (at ')[0]}", hint="every value must be TOML")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in sorted(environment):
        path = name.removeprefix(ENV)
        if not name.startswith(ENV) or path in NOT_SETTINGS:
            continue
        section, separator, key = path.lower().partition("__")
        if not separator:
            raise ConfigError(f"{name} is no setting", hint=f"write it as {ENV}SECTION__KEY, such as {ENV}GRID__LEVELS")
        text = environment[name]
        value: Any = tuple(t.strip() for t in text.split(",") if t.strip()) if key in _LISTS else text
        found.setdefault(section, {})[key] = value
    return found


def _nested(options: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in options.items():
        if value is not None:
            section, _, key = path.partition(".")
            found.setdefault(section, {})[key] = value
    return found


def _merge(values: dict[str, dict[str, Any]], sources: dict[str, str], layer: dict[str, Any], source: str) -> None:
    for section, content in layer.items():
        if not isinstance(content, dict):
            if _SECRET.search(section):
                raise ConfigError(f"{section} is not a setting ({source})", hint=_KEYS_HINT)
            raise ConfigError(
                f"{section} = {_short(content)} stands outside a section ({source})",
                hint=f"sections are {', '.join(Settings.model_fields)}",
            )
        for key, value in content.items():
            values.setdefault(section, {})[key] = value
            name = f"{ENV}{section}__{key}".upper()
            sources[f"{section}.{key}"] = f"environment {name}" if source == "environment" else source


def _refusal(error: ValidationError, sources: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    top = ".".join(key.split(".")[:2])
    within = [held for name, held in sources.items() if name.startswith(f"{top}.")]
    source = sources.get(top) or ", ".join(dict.fromkeys(within)) or "default"
    if first["type"] == "extra_forbidden":
        if _SECRET.search(key):
            return ConfigError(f"{key} is not a setting ({source})", hint=_KEYS_HINT)
        return ConfigError(f"{key} = {_short(first['input'])} is not a setting ({source})", hint=_near(first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    if len(first["loc"]) == 1:
        return ConfigError(f"{key}: {said} ({source})", hint="change one of the two")
    limits = _limits(first["loc"])
    message = f"{key} = {_short(first['input'])} is refused: {said} ({source})"
    return ConfigError(message, hint=f"allowed: {limits}" if limits else None)


def _short(value: Any) -> str:
    return (str(value) if isinstance(value, Decimal) else repr(value))[:120]


def _field(loc: tuple[int | str, ...]) -> Any:
    section = Settings.model_fields.get(str(loc[0])) if loc else None
    kind = section.annotation if section is not None else None
    if len(loc) < 2 or not isinstance(kind, type) or not issubclass(kind, BaseModel):
        return None
    return kind.model_fields.get(str(loc[1]))


def _limits(loc: tuple[int | str, ...]) -> str:
    """The range of a field in words, from its own constraints."""
    field = _field(loc)
    if field is None:
        return ""
    words = {"Gt": ("gt", "above"), "Ge": ("ge", "at least"), "Lt": ("lt", "below"), "Le": ("le", "at most")}
    parts = []
    for constraint in field.metadata:
        name = type(constraint).__name__
        if name in words:
            attribute, word = words[name]
            parts.append(f"{word} {getattr(constraint, attribute)}")
    if field.annotation is Decimal and "below 1" in parts:
        parts.append("a part of one, not percent")
    return ", ".join([*parts, field.description or ""]).strip(", ")


def _near(loc: tuple[int | str, ...]) -> str:
    from difflib import get_close_matches

    if len(loc) == 1:
        known, unknown = list(Settings.model_fields), str(loc[0])
    else:
        section = Settings.model_fields.get(str(loc[0]))
        kind = section.annotation if section is not None else None
        known = list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
        unknown = str(loc[-1])
    close = get_close_matches(unknown, known, 1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
