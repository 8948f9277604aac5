"""What a study may vary: domains with a symbol, each of which maps a value to a patch of a base config.

Bounds are inclusive and checked where they are declared. Not here: Ray's or Optuna's distributions.
"""

import math
from collections.abc import Mapping
from itertools import islice, product
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import Field, model_validator

from lt_core.config import TrainConfig, is_epochs, scaled, scaled_epochs
from lt_core.value import InputError, Value, override, short, unknown, value_at

MOST_CORNERS = 1024

Setting = float | int | str
"""A value of a domain: a number, or the label of a `Choice`."""

Patch = dict[str, Any]
"""Dotted path -> new value or subtree."""


class Float(Value):
    """A real number in [low, high], drawn uniformly, or log-uniformly with `log`."""

    kind: Literal["float"] = "float"
    path: str
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _bounds(self) -> "Float":
        _check_bounds(self.low, self.high, 0.0 if self.log else -math.inf, self.log)
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a value means; InputError outside the domain."""
        if not _is_number(setting) or not self.low <= setting <= self.high:
            raise InputError(f"{setting!r} is not a number in [{self.low:g}, {self.high:g}]")
        return {self.path: float(setting)}

    def setting_of(self, base: TrainConfig) -> Setting:
        """The base config's own value."""
        return _number(base, self.path)

    def ends(self) -> list[Setting]:
        """The extreme values."""
        return [self.low, self.high]

    def ranged(self, low: float, high: float) -> "Float":
        """The same between other bounds."""
        return Float.parse({**self.plain(), "low": low, "high": high})


class Int(Value):
    """A whole number in [low, high], drawn uniformly, or log-uniformly with `log`."""

    kind: Literal["int"] = "int"
    path: str
    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _bounds(self) -> "Int":
        _check_bounds(self.low, self.high, 0 if self.log else -math.inf, self.log)
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a value means; InputError outside the domain."""
        if not _is_number(setting) or not self.low <= setting <= self.high or int(setting) != setting:
            raise InputError(f"{setting!r} is not a whole number in [{self.low}, {self.high}]")
        return {self.path: int(setting)}

    def setting_of(self, base: TrainConfig) -> Setting:
        """The base config's own value."""
        return _number(base, self.path)

    def ends(self) -> list[Setting]:
        """The extreme values."""
        return [self.low, self.high]

    def ranged(self, low: float, high: float) -> "Int":
        """The same between other bounds."""
        if not (float(low).is_integer() and float(high).is_integer()):
            raise InputError(f"[{low:g}, {high:g}] must have whole numbers as its ends")
        return Int.parse({**self.plain(), "low": int(low), "high": int(high)})


class Choice(Value):
    """One of several labels, each a patch of the base config, so that a label may switch a whole branch.

    Exactly one label must leave the base config as it is: the paper's setting.
    """

    kind: Literal["choice"] = "choice"
    labels: Annotated[dict[str, Patch], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels_differ(self) -> "Choice":
        short = [label[:10] for label in self.labels]
        if len(set(short)) < len(short):
            raise ValueError(f"labels must differ in their first 10 characters, but are {list(self.labels)}")
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a label means; InputError for an unknown one."""
        if not isinstance(setting, str) or setting not in self.labels:
            raise unknown("label", str(setting), self.labels)
        return self.labels[setting]

    def setting_of(self, base: TrainConfig) -> Setting:
        """The label that leaves the base config as it is."""
        same = [label for label, patch in self.labels.items() if override(base, patch) == base]
        if len(same) != 1:
            raise InputError(f"exactly one label must be the base config's own, but these are: {same or 'none'}")
        return same[0]

    def ends(self) -> list[Setting]:
        """All labels."""
        return list(self.labels)

    def ranged(self, low: float, high: float) -> "Choice":
        """A choice has no range: InputError."""
        raise InputError(f"it is a choice of {', '.join(self.labels)} and has no range")


Domain = Annotated[Float | Int | Choice, Field(discriminator="kind")]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]  # typed as T1=80 on the command line, a param's name in MLflow


class Space(Value):
    """A base config, which is the paper's setting, and the domains over it by symbol (T1, epsilon, alpha, ...)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    about: str = ""
    base: TrainConfig
    domains: Annotated[dict[Symbol, Domain], Field(min_length=1)]

    @model_validator(mode="after")
    def _domains_fit(self) -> "Space":
        self._check_overlap()
        for symbol, domain in self.domains.items():
            try:
                _check_base(domain, self.base)
                for end in domain.ends():
                    override(self.base, domain.patch(end))
            except InputError as error:
                raise ValueError(f"{symbol}: {error}") from None
        self._check_corners()
        return self

    def _check_corners(self) -> None:
        """Domains that fit one by one may not fit together: try all combinations of their ends."""
        ends = [[(symbol, end) for end in domain.ends()] for symbol, domain in self.domains.items()]
        for corner in islice(product(*ends), MOST_CORNERS):
            try:
                override(self.base, self._patch(dict(corner)))
            except InputError as error:
                point = ", ".join(f"{symbol}={end}" for symbol, end in corner)
                raise ValueError(f"the domains do not fit together: at {point}, {error}") from None

    def _check_overlap(self) -> None:
        owners: dict[str, str] = {}
        for symbol, domain in self.domains.items():
            for path in _paths(domain):
                rival = next((owners[p] for p in owners if _overlap(p, path) and owners[p] != symbol), None)
                if rival:
                    raise ValueError(f"{rival} and {symbol} both set `{path}`")
                owners[path] = symbol

    @property
    def paper(self) -> dict[str, Setting]:
        """The paper's setting: the base config's own values."""
        return {symbol: domain.setting_of(self.base) for symbol, domain in self.domains.items()}

    def config(self, settings: Mapping[str, Setting]) -> TrainConfig:
        """The config of a point; InputError for an unknown symbol or a value outside its domain."""
        return override(self.base, self._patch(settings))

    def point(self, settings: Mapping[str, Setting]) -> dict[str, Setting]:
        """A point with the paper's values where none is given, checked."""
        full = {**self.paper, **settings}
        self.config(full)
        return full

    def overridden(self, changes: Mapping[str, object]) -> "Space":
        """The space over a changed base; InputError where a searched path would be set."""
        for path in changes:
            for symbol, domain in self.domains.items():
                if any(_overlap(path, own) for own in _paths(domain)):
                    raise InputError(
                        f"`{path}` is searched as {symbol}: use --fix {symbol}=VALUE to fix it, "
                        f"or --range {symbol}=LOW..HIGH to bound it"
                    )
        return self._with(override(self.base, changes), self.domains)

    def fixed(self, settings: Mapping[str, Setting]) -> "Space":
        """The space with some symbols fixed in its base."""
        base = override(self.base, self._patch(settings))
        domains = {symbol: d for symbol, d in self.domains.items() if symbol not in settings}
        if not domains:
            raise InputError("nothing is left to search once all of " + ", ".join(self.domains) + " are fixed")
        return self._with(base, domains)

    def ranged(self, ranges: Mapping[str, tuple[float, float]]) -> "Space":
        """The space with other bounds; the base's value must stay inside them, or be moved with `fixed` first."""
        domains = dict(self.domains)
        for symbol, (low, high) in ranges.items():
            try:
                domains[symbol] = self._domain(symbol).ranged(low, high)
            except ValueError as error:
                raise InputError(f"{symbol}: {error}") from None
        return self._with(self.base, domains)

    def scaled(self, factor: float) -> "Space":
        """The space with epochs scaled, in the base and in the domains; one that shrinks to a point is dropped."""
        domains = {symbol: _scaled(domain, factor) for symbol, domain in self.domains.items()}
        left = {symbol: domain for symbol, domain in domains.items() if domain is not None}
        if not left:
            raise InputError(f"--scale {factor:g} leaves nothing to search")
        return self._with(scaled(self.base, factor), left)

    def scaled_point(self, point: Mapping[str, Setting], factor: float) -> dict[str, Setting]:
        """A point of this space as one of the scaled space, without the domains that shrink to a point."""
        kept = {symbol: s for symbol, s in point.items() if _scaled(self._domain(symbol), factor) is not None}
        return {symbol: _scaled_setting(self._domain(symbol), s, factor) for symbol, s in kept.items()}

    def _patch(self, settings: Mapping[str, Setting]) -> Patch:
        patch: Patch = {}
        for symbol, setting in settings.items():
            try:
                patch |= self._domain(symbol).patch(setting)
            except InputError as error:
                raise InputError(f"{symbol}: {error}") from None
        return patch

    def _domain(self, symbol: str) -> Float | Int | Choice:
        if symbol not in self.domains:
            raise unknown("symbol", symbol, self.domains)
        return self.domains[symbol]

    def _with(self, base: TrainConfig, domains: Mapping[str, Float | Int | Choice]) -> "Space":
        plain = {symbol: domain.plain() for symbol, domain in domains.items()}
        return Space.parse({**self.plain(), "base": base.plain(), "domains": plain})


def _check_base(domain: Float | Int | Choice, base: TrainConfig) -> None:
    own = domain.setting_of(base)
    try:
        domain.patch(own)
    except InputError as error:
        raise InputError(f"the base config's own value must lie in the domain, but {error}") from None


def _check_bounds(low: float, high: float, above: float, log: bool) -> None:
    if not low < high:
        raise ValueError(f"low must be below high, but they are {low:g} and {high:g}")
    if log and low <= above:
        raise ValueError(f"low must be above 0 on a log scale, but is {low:g}")


def _is_number(found: object) -> TypeGuard[float]:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _number(base: TrainConfig, path: str) -> float | int:
    found = value_at(base, path)
    if not _is_number(found):
        raise InputError(f"`{path}` is {short(found)}, not a number: search it with a choice")
    return found


def _paths(domain: Float | Int | Choice) -> set[str]:
    return {path for patch in domain.labels.values() for path in patch} if isinstance(domain, Choice) else {domain.path}


def _overlap(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")


def _scaled(domain: Float | Int | Choice, factor: float) -> Float | Int | Choice | None:
    if isinstance(domain, Choice):
        return Choice(labels={label: _scaled_node("", patch, factor) for label, patch in domain.labels.items()})
    if not isinstance(domain, Int) or not is_epochs(domain.path):
        return domain
    low, high = scaled_epochs(domain.low, factor), scaled_epochs(domain.high, factor)
    return domain.model_copy(update={"low": low, "high": high}) if low < high else None


def _scaled_setting(domain: Float | Int | Choice, setting: Setting, factor: float) -> Setting:
    whole = isinstance(domain, Int) and is_epochs(domain.path)
    return scaled_epochs(int(setting), factor) if whole else setting


def _scaled_node(path: str, node: Any, factor: float) -> Any:
    """A patch's new value or subtree, its epochs scaled at any depth."""
    if isinstance(node, dict):
        return {key: _scaled_node(f"{path}.{key}".lstrip("."), child, factor) for key, child in node.items()}
    if isinstance(node, list):
        return [_scaled_node(f"{path}.{i}", child, factor) for i, child in enumerate(node)]
    return scaled_epochs(node, factor) if is_epochs(path) else node
