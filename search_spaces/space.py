"""A space: what a study may vary, as domains over a base config, which is the paper's setting."""

from collections.abc import Iterator, Mapping
from itertools import combinations, islice, product
from typing import Annotated

from pydantic import Field, model_validator

from lt_core.config import TrainConfig, scaled
from lt_core.value import InputError, Value, override, unknown, wrong_at
from search_spaces.domains import (
    AnyDomain,
    Branch,
    Choice,
    Domain,
    Domains,
    Float,
    Int,
    Patch,
    Setting,
    Symbol,
    active,
    everywhere,
    overlap,
    paths_of,
    place_of,
    ranged_domains,
    scaled_domains,
)

MOST_CORNERS = 256

Point = Mapping[str, Setting]
"""A setting of each symbol that is active under the point's own labels."""


class Space(Value):
    """A base config, which is the paper's setting, and the domains over it by symbol (T1, epsilon, alpha, ...)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    about: str = ""
    base: TrainConfig
    domains: Annotated[dict[Symbol, Domain], Field(min_length=1)]

    @model_validator(mode="after")
    def _domains_fit(self) -> "Space":
        _check_symbols(self.domains)
        _check_overlap(self.domains)
        self._check_domains(self.domains, self.base)
        self._check_corners()
        return self

    def _check_domains(self, domains: Domains, base: TrainConfig, at: str = "domains") -> None:
        """Each domain holds its base config's own value, and fits it at both ends; in every arm. at: their path."""
        for symbol, domain in domains.items():
            place = f"{at}.{symbol}"
            try:
                ends = _ends(domain, base)
            except InputError as error:
                raise wrong_at(f"{place}.{error.path}".strip("."), f"{symbol}: {error}") from None
            for label, arm in domain.labels.items() if isinstance(domain, Branch) else ():
                self._check_domains(arm.domains, ends[label], f"{place}.labels.{label}.domains")

    def _check_corners(self) -> None:
        """Domains that fit one by one may not fit together: try combinations of their ends under all labels."""
        arms = list(_combinations(self.domains))
        most = max(1, MOST_CORNERS // len(arms))
        for labels in arms:
            for corner in islice(_corners(self.domains, labels), most):
                try:
                    self.config(corner)
                except InputError as error:
                    point = ", ".join(f"{symbol}={end}" for symbol, end in corner.items())
                    raise wrong_at("domains", f"the domains do not fit together: at {point}, {error}") from None

    @property
    def symbols(self) -> list[str]:
        """All symbols, those that exist only under some label included."""
        return list(dict.fromkeys(symbol for symbol, _ in everywhere(self.domains)))

    @property
    def paper(self) -> dict[str, Setting]:
        """The paper's setting: the base config's own values."""
        return _completed({}, self.domains, self.base)

    @property
    def size(self) -> int | None:
        """The number of its points; None where a real number makes it infinite."""
        sizes = [_size(self.domains, labels) for labels in _combinations(self.domains)]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def config(self, settings: Point) -> TrainConfig:
        """The config of a point; InputError for an unknown symbol or a value outside its domain."""
        self._check_active(settings)
        return _applied(self.base, self.domains, settings)

    def point(self, settings: Point) -> dict[str, Setting]:
        """A point with the paper's values (under another label, that arm's) where none is given, checked."""
        full = _completed(settings, self.domains, self.base)
        self._check_active({**full, **settings})
        self.config(full)
        return full

    def extremes(self) -> Iterator[TrainConfig]:
        """Under each combination of labels: the config of its own values, and those with one domain at an end."""
        for labels in _combinations(self.domains):
            own = _completed(labels, self.domains, self.base)
            yield self.config(own)
            for symbol, domain in active(self.domains, labels).items():
                yield from (self.config({**own, symbol: end}) for end in domain.ends() if symbol not in labels)

    def grid(self, levels: int) -> list[dict[str, Setting]]:
        """All combinations of labels and of so many values per number."""
        return list(_grid(self.domains, levels))

    def overridden(self, changes: Mapping[str, object]) -> "Space":
        """The space over a changed base; InputError where a searched path would be set."""
        for path in changes:
            for symbol, domain in everywhere(self.domains):
                if any(overlap(path, own) for own in paths_of(domain)):
                    raise InputError(
                        f"`{path}` is searched as {symbol}: use --fix {symbol}=VALUE to fix it, "
                        f"or --range {symbol}=LOW..HIGH to bound it"
                    )
        return self._with(override(self.base, changes), self.domains)

    def fixed(self, settings: Point) -> "Space":
        """The space with some symbols fixed in its base; under a fixed label, the label's own domains remain."""
        self._check_active(settings)
        base = _applied(self.base, self.domains, settings)
        domains = {s: domain for s, domain in active(self.domains, settings).items() if s not in settings}
        if not domains:
            where = " and ".join(f"{symbol} is {setting}" for symbol, setting in settings.items())
            raise InputError(f"nothing is left to search where {where}")
        return self._with(base, domains)

    def ranged(self, ranges: Mapping[str, tuple[float, float]]) -> "Space":
        """The space with other bounds; the base's value must stay inside them, or be moved with `fixed` first."""
        domains: Domains = self.domains
        for symbol, (low, high) in ranges.items():
            if symbol not in self.symbols:
                raise InputError(f"{symbol}: {unknown('symbol', symbol, dict.fromkeys(self.symbols))}")
            try:
                domains = ranged_domains(domains, symbol, low, high)
            except ValueError as error:
                raise InputError(f"{symbol}: {error}") from None
        return self._with(self.base, domains)

    def scaled(self, factor: float) -> "Space":
        """The space with epochs scaled, in the base and in the domains; one that shrinks to a point is dropped."""
        left = scaled_domains(self.domains, factor)
        if not left:
            raise InputError(f"--scale {factor:g} leaves nothing to search")
        return self._with(scaled(self.base, factor), left)

    def scaled_point(self, point: Point, factor: float) -> dict[str, Setting]:
        """A point of this space as one of the scaled space, without the domains that shrink to a point."""
        known = active(self.domains, point)
        kept = {symbol: known[symbol] for symbol in point if known[symbol].scaled(factor) is not None}
        return {symbol: domain.scaled_setting(point[symbol], factor) for symbol, domain in kept.items()}

    def _check_active(self, settings: Point) -> None:
        """InputError for a symbol that is unknown, or that no label of the point brings into being."""
        known = active(self.domains, settings)
        for symbol in settings:
            if symbol in known:
                continue
            if symbol in self.symbols:
                raise InputError(f"{symbol}: it exists only under {' or '.join(_under(self.domains, symbol))}")
            raise InputError(f"{symbol}: {unknown('symbol', symbol, dict.fromkeys(self.symbols))}")

    def _with(self, base: TrainConfig, domains: Domains) -> "Space":
        plain = {symbol: domain.plain() for symbol, domain in domains.items()}
        return Space.parse({**self.plain(), "base": base.plain(), "domains": plain})


def _applied(base: TrainConfig, domains: Domains, settings: Point) -> TrainConfig:
    """The base with a point's patches: those of the outer domains at once, then those inside the chosen arms."""
    patch: Patch = {}
    inner: dict[str, AnyDomain] = {}
    for symbol, domain in domains.items():
        if symbol not in settings:
            continue
        try:
            patch |= domain.patch(settings[symbol])
        except InputError as error:
            raise InputError(f"{symbol}: {error}") from None
        inner |= domain.arm(settings[symbol]).domains if isinstance(domain, Branch) else {}
    changed = override(base, patch)
    return _applied(changed, inner, settings) if inner else changed


def _completed(settings: Point, domains: Domains, base: TrainConfig) -> dict[str, Setting]:
    """A point with the base's own values where none is given; inside an arm, those of the base with its patch."""
    point: dict[str, Setting] = {}
    for symbol, domain in domains.items():
        point[symbol] = settings[symbol] if symbol in settings else domain.setting_of(base)
        if isinstance(domain, Branch):
            arm = domain.arm(point[symbol])
            point |= _completed(settings, arm.domains, override(base, arm.patch))
    return point


def _combinations(domains: Domains) -> Iterator[dict[str, Setting]]:
    """All combinations of labels of the branches, as points of the branches only."""
    branches = {symbol: domain for symbol, domain in domains.items() if isinstance(domain, Branch)}
    for labels in product(*(branch.labels for branch in branches.values())):
        inner: dict[str, AnyDomain] = {}
        for branch, label in zip(branches.values(), labels, strict=True):
            inner |= branch.labels[label].domains
        chosen: dict[str, Setting] = dict(zip(branches, labels, strict=True))
        yield from ({**chosen, **deeper} for deeper in _combinations(inner)) if inner else (chosen,)


def _corners(domains: Domains, labels: Point) -> Iterator[dict[str, Setting]]:
    """The combinations of ends of the domains that are active under some labels.

    First those that differ from all the low ends in one domain, then in two, then all.
    """
    open_ = {symbol: d.ends() for symbol, d in active(domains, labels).items() if symbol not in labels}
    least = {**labels, **{symbol: ends[0] for symbol, ends in open_.items()}}
    others = [{symbol: end} for symbol, ends in open_.items() for end in ends[1:]]
    yield from ({**least, **other} for other in others)
    yield from ({**least, **one, **other} for one, other in combinations(others, 2))
    for ends in product(*open_.values()):
        yield {**labels, **dict(zip(open_, ends, strict=True))}


def _grid(domains: Domains, levels: int) -> Iterator[dict[str, Setting]]:
    for settings in product(*(domain.grid(levels) for domain in domains.values())):
        point = dict(zip(domains, settings, strict=True))
        inner = {s: d for s, d in active(domains, point).items() if s not in domains}
        yield from ({**point, **deeper} for deeper in _grid(inner, levels)) if inner else (point,)


def _size(domains: Domains, labels: Point) -> int | None:
    total = 1
    for symbol, domain in active(domains, labels).items():
        if isinstance(domain, Float):
            return None
        if symbol not in labels:
            total *= domain.high - domain.low + 1 if isinstance(domain, Int) else len(domain.ends())
    return total


def _ends(domain: AnyDomain, base: TrainConfig) -> dict[Setting, TrainConfig]:
    """The config at each end of a domain that fits its base; InputError with the path inside the domain else."""
    if isinstance(domain, Float | Int):
        _check_base(domain, base)
    found = {end: _end(domain, base, end) for end in domain.ends()}
    if isinstance(domain, Choice | Branch):  # only now: to know its own label, each patch must be right
        _check_base(domain, base)
    return found


def _end(domain: AnyDomain, base: TrainConfig, end: Setting) -> TrainConfig:
    try:
        return override(base, domain.patch(end))
    except InputError as error:
        raise InputError(str(error), place_of(domain, end, error.path)) from None


def _check_base(domain: AnyDomain, base: TrainConfig) -> None:
    own = domain.setting_of(base)
    try:
        domain.patch(own)
    except InputError as error:
        why = "each study trains it first; a space of your own may have another base"
        raise InputError(f"the base config's own value must lie in the domain, but {error}: {why}") from None


def _check_overlap(domains: Domains, at: str = "domains") -> None:
    """Two domains that may be active together must not set the same path; an arm's may refine its own patch."""
    owners: dict[str, str] = {}
    for symbol, domain in domains.items():
        for path in paths_of(domain):
            rival = next((owners[p] for p in owners if overlap(p, path) and owners[p] != symbol), None)
            if rival:
                raise wrong_at(f"{at}.{symbol}", f"{rival} and {symbol} both set `{path}`")
            owners[path] = symbol
        for label, arm in domain.labels.items() if isinstance(domain, Branch) else ():
            _check_overlap(arm.domains, f"{at}.{symbol}.labels.{label}.domains")


def _check_symbols(domains: Domains) -> None:
    """A symbol that stands in several arms must mean one param: equal but for its path. Nor may it stand in itself."""
    seen: dict[str, AnyDomain] = {}
    for symbol, domain in everywhere(domains):
        if symbol in seen and not _alike(seen[symbol], domain):
            said = f"{symbol} must have the same kind and bounds under every label that has it"
            raise wrong_at(f"domains.{symbol}", said)
        seen[symbol] = domain
    for labels in _combinations(domains):
        names = [symbol for symbol, _ in _standing(domains, labels)]
        doubled = next((symbol for symbol in names if names.count(symbol) > 1), None)
        if doubled:
            said = f"{doubled} stands twice under {', '.join(f'{s}={label}' for s, label in labels.items())}"
            raise wrong_at(f"domains.{doubled}", said)


def _standing(domains: Domains, labels: Point) -> Iterator[tuple[str, AnyDomain]]:
    for symbol, domain in domains.items():
        yield symbol, domain
        if isinstance(domain, Branch):
            yield from _standing(domain.arm(labels[symbol]).domains, labels)


def _alike(a: AnyDomain, b: AnyDomain) -> bool:
    if isinstance(a, Choice | Branch) or isinstance(b, Choice | Branch):
        return a == b
    own = {"path", "also"}
    return {k: v for k, v in a.plain().items() if k not in own} == {k: v for k, v in b.plain().items() if k not in own}


def _under(domains: Domains, symbol: str) -> list[str]:
    """The labels, as SYMBOL=LABEL, under which a symbol exists."""
    found: list[str] = []
    for name, domain in domains.items():
        for label, arm in domain.labels.items() if isinstance(domain, Branch) else ():
            if symbol in arm.domains:
                found.append(f"{name}={label}")
            found += _under(arm.domains, symbol)
    return found
