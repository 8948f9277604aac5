"""What one symbol of a space may be: each domain maps a value to a patch of a base config.

Bounds are inclusive and checked where they are declared. Not here: Ray's or Optuna's distributions, grids of a sampler.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import Field, model_validator

from lt_core.config import TrainConfig, is_epochs, scaled_epochs
from lt_core.value import InputError, Value, override, short, unknown, value_at, wrong_first

Setting = float | int | str
"""A value of a domain: a number, or the label of a `Choice` or `Branch`."""

Patch = dict[str, Any]
"""Dotted path -> new value or subtree."""

Symbol = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]  # typed as T1=80 on the command line, a param's name in MLflow


class Float(Value):
    """A real number in [low, high], drawn uniformly, or log-uniformly with `log`; `also` are paths that get it, too.

    log_complement: 1 - value is drawn log-uniformly, as suits CB's beta: .9, .99, .999 are one step apart.
    """

    kind: Literal["float"] = "float"
    path: str
    low: float
    high: float
    log: bool = False
    log_complement: bool = False
    also: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> "Float":
        _check_bounds(self.low, self.high, 0.0 if self.log else -math.inf, self.log)
        if self.log_complement and (self.log or self.high >= 1):
            raise wrong_first(
                f"log_complement needs high below 1 and log false, but they are {self.high:g}, {self.log}"
            )
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a value means; InputError outside the domain."""
        if not _is_number(setting) or not self.low <= setting <= self.high:
            raise InputError(f"{setting!r} is not a number in [{self.low:g}, {self.high:g}]")
        return dict.fromkeys((self.path, *self.also), float(setting))

    def setting_of(self, base: TrainConfig) -> Setting:
        """The base config's own value."""
        return _number(base, self.path)

    def ends(self) -> list[Setting]:
        """The extreme values."""
        return [self.low, self.high]

    def grid(self, levels: int) -> list[Setting]:
        """That many values from end to end, evenly spaced on the domain's scale."""
        if self.log_complement:
            return [1 - value for value in _spaced(1 - self.low, 1 - self.high, levels, log=True)]
        return list(_spaced(self.low, self.high, levels, log=self.log))

    def ranged(self, low: float, high: float) -> "Float":
        """The same between other bounds."""
        return Float.parse({**self.plain(), "low": low, "high": high})

    def scaled(self, factor: float) -> "Float":
        """The same: epochs are whole numbers."""
        return self

    def scaled_setting(self, setting: Setting, factor: float) -> Setting:
        """The same value."""
        return setting


class Int(Value):
    """A whole number in [low, high], drawn uniformly, or log-uniformly with `log`; paths in `also` get it, too."""

    kind: Literal["int"] = "int"
    path: str
    low: int
    high: int
    log: bool = False
    also: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> "Int":
        _check_bounds(self.low, self.high, 0 if self.log else -math.inf, self.log)
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a value means; InputError outside the domain."""
        if not _is_number(setting) or not self.low <= setting <= self.high or int(setting) != setting:
            raise InputError(f"{setting!r} is not a whole number in [{self.low}, {self.high}]")
        return dict.fromkeys((self.path, *self.also), int(setting))

    def setting_of(self, base: TrainConfig) -> Setting:
        """The base config's own value."""
        return _number(base, self.path)

    def ends(self) -> list[Setting]:
        """The extreme values."""
        return [self.low, self.high]

    def grid(self, levels: int) -> list[Setting]:
        """At most that many values from end to end, evenly spaced on the domain's scale."""
        return list(dict.fromkeys(round(v) for v in _spaced(self.low, self.high, levels, log=self.log)))

    def ranged(self, low: float, high: float) -> "Int":
        """The same between other bounds."""
        if not (float(low).is_integer() and float(high).is_integer()):
            raise InputError(f"[{low:g}, {high:g}] must have whole numbers as its ends")
        return Int.parse({**self.plain(), "low": int(low), "high": int(high)})

    def scaled(self, factor: float) -> "Int | None":
        """With bounds in epochs scaled; None where they meet."""
        if not is_epochs(self.path):
            return self
        low, high = scaled_epochs(self.low, factor), scaled_epochs(self.high, factor)
        return self.model_copy(update={"low": low, "high": high}) if low < high else None

    def scaled_setting(self, setting: Setting, factor: float) -> Setting:
        """A value, scaled where it counts epochs."""
        return scaled_epochs(int(setting), factor) if is_epochs(self.path) else setting


class Choice(Value):
    """One of several labels, each a patch of the base config.

    Exactly one label must leave the base config as it is: the paper's setting.
    """

    kind: Literal["choice"] = "choice"
    labels: Annotated[dict[str, Patch], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels_differ(self) -> "Choice":
        _check_labels(self.labels)
        return self

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a label means; InputError for an unknown one."""
        return self.labels[_known(setting, self.labels)]

    def setting_of(self, base: TrainConfig) -> Setting:
        """The label that leaves the base config as it is."""
        return _own_label(base, self.labels)

    def ends(self) -> list[Setting]:
        """All labels."""
        return list(self.labels)

    def grid(self, levels: int) -> list[Setting]:
        """All labels."""
        return list(self.labels)

    def ranged(self, low: float, high: float) -> "Choice":
        """A choice has no range: InputError."""
        raise InputError(f"it is a choice of {', '.join(self.labels)} and has no range")

    def scaled(self, factor: float) -> "Choice":
        """With the epochs in its patches scaled."""
        return Choice(labels={label: _scaled_node("", patch, factor) for label, patch in self.labels.items()})

    def scaled_setting(self, setting: Setting, factor: float) -> Setting:
        """The same label."""
        return setting


class Arm(Value):
    """A label of a branch: a patch of the base config, and the domains that exist only under it."""

    patch: Patch = Field(default_factory=dict)
    domains: "dict[Symbol, Domain]" = Field(default_factory=dict)

    def scaled(self, factor: float) -> "Arm":
        """With epochs scaled; domains that shrink to a point are dropped."""
        return Arm(patch=_scaled_node("", self.patch, factor), domains=scaled_domains(self.domains, factor))


class Branch(Value):
    """One of several labels, each a patch of the base config with domains that exist only under it.

    tau only under `tau_rule: fixed`; alpha and epsilon only under IB. Exactly one label must leave the base config as
    it is. Branches may stand inside branches; an arm's own values are those of the base with the arm's patch.
    """

    kind: Literal["branch"] = "branch"
    labels: Annotated[dict[str, Arm], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels_differ(self) -> "Branch":
        _check_labels(self.labels)
        return self

    def arm(self, setting: Setting) -> Arm:
        """A label's patch and domains; InputError for an unknown one."""
        return self.labels[_known(setting, self.labels)]

    def patch(self, setting: Setting) -> Patch:
        """The change of the base config that a label means; InputError for an unknown one."""
        return self.arm(setting).patch

    def setting_of(self, base: TrainConfig) -> Setting:
        """The label that leaves the base config as it is."""
        return _own_label(base, {label: arm.patch for label, arm in self.labels.items()})

    def ends(self) -> list[Setting]:
        """All labels."""
        return list(self.labels)

    def grid(self, levels: int) -> list[Setting]:
        """All labels."""
        return list(self.labels)

    def ranged(self, low: float, high: float) -> "Branch":
        """A branch has no range: InputError."""
        raise InputError(f"it is a branch with the labels {', '.join(self.labels)} and has no range")

    def scaled(self, factor: float) -> "Branch":
        """With the epochs of its arms scaled."""
        return Branch(labels={label: arm.scaled(factor) for label, arm in self.labels.items()})

    def scaled_setting(self, setting: Setting, factor: float) -> Setting:
        """The same label."""
        return setting


AnyDomain = Float | Int | Choice | Branch
Domain = Annotated[AnyDomain, Field(discriminator="kind")]
Domains = Mapping[str, AnyDomain]
Arm.model_rebuild()
Branch.model_rebuild()


def active(domains: Domains, settings: Mapping[str, Setting]) -> dict[str, AnyDomain]:
    """The domains that exist under the labels of a point, by symbol, the outer ones first."""
    found = dict(domains)
    for symbol, domain in domains.items():
        if isinstance(domain, Branch) and symbol in settings:
            found |= active(domain.arm(settings[symbol]).domains, settings)
    return found


def everywhere(domains: Domains) -> Iterator[tuple[str, AnyDomain]]:
    """All symbols with their domains, those of every arm included; a symbol may come several times."""
    for symbol, domain in domains.items():
        yield symbol, domain
        for arm in domain.labels.values() if isinstance(domain, Branch) else ():
            yield from everywhere(arm.domains)


def scaled_domains(domains: Domains, factor: float) -> dict[str, AnyDomain]:
    """Domains with their epochs scaled, without those that shrink to a point."""
    found = {symbol: domain.scaled(factor) for symbol, domain in domains.items()}
    return {symbol: domain for symbol, domain in found.items() if domain is not None}


def ranged_domains(domains: Domains, symbol: str, low: float, high: float) -> dict[str, AnyDomain]:
    """Domains, of which those of one symbol, in whichever arm, are bounded otherwise."""
    return {name: _ranged(name, domain, symbol, low, high) for name, domain in domains.items()}


def _ranged(name: str, domain: AnyDomain, symbol: str, low: float, high: float) -> AnyDomain:
    if name == symbol:
        return domain.ranged(low, high)
    if not isinstance(domain, Branch):
        return domain
    arms = {
        label: Arm(patch=arm.patch, domains=ranged_domains(arm.domains, symbol, low, high))
        for label, arm in domain.labels.items()
    }
    return Branch(labels=arms)


def paths_of(domain: AnyDomain) -> set[str]:
    """All paths that a domain may set, those of its arms' domains included."""
    if isinstance(domain, Float | Int):
        return {domain.path, *domain.also}
    if isinstance(domain, Choice):
        return {path for patch in domain.labels.values() for path in patch}
    inner = {path for arm in domain.labels.values() for _, d in everywhere(arm.domains) for path in paths_of(d)}
    return inner | {path for arm in domain.labels.values() for path in arm.patch}


def place_of(domain: AnyDomain, setting: Setting, wrong: str) -> str:
    """Where in a domain stands what makes a config's path wrong at a setting: its path, an end, or a label's patch."""
    if isinstance(domain, Float | Int):
        further = {path: f"also.{i}" for i, path in enumerate(domain.also)}
        return further.get(wrong, "low" if setting == domain.low else "high")
    patch = domain.patch(setting)
    label = f"labels.{setting}.patch" if isinstance(domain, Branch) else f"labels.{setting}"
    key = max((path for path in patch if f"{wrong}.".startswith(f"{path}.")), key=len, default=None)
    return label if key is None else f"{label}.{key}{wrong[len(key) :]}"


def overlap(a: str, b: str) -> bool:
    """Whether two paths are one, or one holds the other."""
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")


def _check_bounds(low: float, high: float, above: float, log: bool) -> None:
    if not low < high:
        raise wrong_first(f"low must be below high, but they are {low:g} and {high:g}")
    if log and low <= above:
        raise wrong_first(f"low must be above 0 on a log scale, but is {low:g}")


def _spaced(low: float, high: float, levels: int, *, log: bool) -> list[float]:
    """Values from low to high, both of them exactly; on a log scale by equal factors."""
    steps = [i / (levels - 1) for i in range(1, levels - 1)]
    inner = [low * (high / low) ** t if log else low + (high - low) * t for t in steps]
    return [float(low), *inner, float(high)]


def _check_labels(labels: Mapping[str, object]) -> None:
    if len({label[:10] for label in labels}) < len(labels):
        raise wrong_first(f"labels must differ in their first 10 characters, but are {list(labels)}")


def _known(setting: Setting, labels: Mapping[str, object]) -> str:
    if not isinstance(setting, str) or setting not in labels:
        raise unknown("label", str(setting), labels)
    return setting


def _own_label(base: TrainConfig, patches: Mapping[str, Patch]) -> str:
    same = [label for label, patch in patches.items() if override(base, patch) == base]
    if len(same) != 1:
        raise InputError(f"exactly one label must be the base config's own, but these are: {same or 'none'}")
    return same[0]


def _is_number(found: object) -> TypeGuard[float]:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _number(base: TrainConfig, path: str) -> float | int:
    try:
        found = value_at(base, path)
    except InputError as error:
        raise InputError(str(error), "path") from None  # which is the domain's field that is wrong
    if not _is_number(found):
        raise InputError(f"`{path}` is {short(found)}, not a number: search it with a choice", "path")
    return found


def _scaled_node(path: str, node: Any, factor: float) -> Any:
    """A patch's new value or subtree, its epochs scaled at any depth."""
    if isinstance(node, dict):
        return {key: _scaled_node(f"{path}.{key}".lstrip("."), child, factor) for key, child in node.items()}
    if isinstance(node, list):
        return [_scaled_node(f"{path}.{i}", child, factor) for i, child in enumerate(node)]
    return scaled_epochs(node, factor) if is_epochs(path) else node
