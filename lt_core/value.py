"""What a value is here: frozen, strict, with YAML as its file form, and errors of one sentence.

Not here: any particular value (they stand beside what they describe) and anything that trains.
"""

import copy
import difflib
import json
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class InputError(ValueError):
    """A mistake of the user's, told in one sentence that names the field, the value and what is allowed."""


class Value(BaseModel):
    """A frozen pydantic model: unknown fields, wrong types, NaN and infinity are errors; 1 is 1.0 in a float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, data: object) -> Self:
        """The value that plain data (dicts, lists, scalars) describe; InputError names path, value, allowed."""
        try:
            return cls.model_validate_json(json.dumps(data))  # JSON mode: a list may stand for a tuple
        except ValidationError as error:
            raise InputError(_sentence(cls, data, error)) from None
        except TypeError:
            raise InputError(f"{cls.__name__} must be plain data, but holds a value that is not") from None

    @classmethod
    def load(cls, text: str) -> Self:
        """The value that a YAML text describes."""
        return cls.parse(read_yaml(text))

    def plain(self) -> dict[str, Any]:
        """This value as dicts, lists and scalars."""
        return self.model_dump(mode="json", by_alias=True)

    def dump(self) -> str:
        """This value as YAML; `load` gives it back."""
        return yaml.dump(self.plain(), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


V = TypeVar("V", bound=Value)


def override(value: V, changes: Mapping[str, object]) -> V:
    """A copy in which each dotted path has its new value or subtree; all are applied, then checked, at once.

    A new `kind` starts from that kind's defaults. InputError for an unknown path, with the nearest known one.
    """
    data = value.plain()
    for path in sorted(changes, key=lambda p: (p.count("."), not p.endswith("kind"))):
        _set(data, path, copy.deepcopy(changes[path]))
    return type(value).parse(data)


def value_at(value: Value, path: str) -> object:
    """The plain value or subtree at a dotted path; InputError for an unknown one."""
    data = value.plain()
    parent, last = _parent(data, path)
    key = _key(parent, last)
    if key is None:
        raise _unknown_path(data, path, path.rpartition(".")[0], parent)
    return parent[key]


def paths(data: object, prefix: str = "") -> Iterable[str]:
    """Every dotted path of plain data, inner nodes included."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, child in items:
        yield f"{prefix}{key}"
        yield from paths(child, f"{prefix}{key}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean `x`?)' for the known name closest to a misspelt one, '' where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean `{close[0]}`?)" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones: it lists them and guesses what was meant."""
    known = list(known)
    listed = ", ".join(known) if len(known) <= 12 else ", ".join(known[:12]) + ", ..."
    return InputError(f"there is no {what} `{name}`{nearest(name, known)}; allowed: {listed}")


# --- dotted paths -----------------------------------------------------------------------------------


def _parent(data: dict[str, Any], path: str) -> tuple[Any, str]:
    """The container that holds a path's last key, and that key, which it may not have."""
    node: Any = data
    *inner, last = path.split(".")
    for depth, part in enumerate(inner):
        key = _key(node, part)
        if key is None:
            raise _unknown_path(data, path, ".".join(inner[:depth]), node)
        node = node[key]
    return node, last


def _key(node: Any, part: str) -> int | str | None:
    """A path's part as a key that a container has; None where it has not."""
    if isinstance(node, list):
        return int(part) if part.isdecimal() and int(part) < len(node) else None
    return part if isinstance(node, dict) and part in node else None


def _unknown_path(data: object, path: str, holder: str, node: object) -> InputError:
    has = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    listed = ", ".join(map(str, has)) or "no fields"
    inside = f"`{holder}` has" if holder else "the first fields are"
    return InputError(f"there is no path `{path}`{nearest(path, paths(data))}; {inside}: {listed}")


def _set(data: dict[str, Any], path: str, new: object) -> None:
    parent, last = _parent(data, path)
    key = _key(parent, last)
    if key is None and not (isinstance(parent, dict) and "kind" in parent):  # a new kind may have other fields
        raise _unknown_path(data, path, path.rpartition(".")[0], parent)
    if last == "kind" and parent["kind"] != new:
        parent.clear()
    parent[last if key is None else key] = new


# --- YAML -------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML as people write it: 1e-3 is a number, a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = next((i for i, key in enumerate(keys) if key in keys[:i]), None)
        if doubled is not None:
            line = node.value[doubled][0].start_mark.line + 1
            raise InputError(f"line {line}: the key `{keys[doubled]}` is given twice")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes the text that _Loader would read as a number."""


# PyYAML follows YAML 1.1, in which 1e-3 (no dot) is a string and `on` a boolean; this is YAML 1.2's number.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"),
        list("-+0123456789."),
    )


def read_yaml(text: str) -> object:
    """Plain data from YAML; InputError names the line where it cannot be read."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"line {line}: not valid YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"line {line}: not valid YAML: {error.reason}") from None


# --- one sentence out of a pydantic error -----------------------------------------------------------


def _sentence(cls: type[Value], data: object, error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    kind, context, given = found["type"], found.get("ctx", {}), found["input"]
    path, holder, ok = _locate(cls, data, found["loc"], missing=kind == "missing")
    name = path.rpartition(".")[2]
    if kind == "extra_forbidden":
        return f"there is no field `{path}`{nearest(name, ok)}; {holder} has: {', '.join(ok)}"
    if kind == "missing":
        return f"`{path}` is missing: {holder} needs `{name}`"
    if kind in ("union_tag_invalid", "literal_error"):
        wrong = given["kind"] if "tag" in context else given
        allowed = re.findall(r"'([^']*)'", str(context.get("expected_tags", context.get("expected"))))
        field = f"{path}.kind" if "tag" in context else path
        return f"`{field}` is {_short(wrong)}{nearest(str(wrong), allowed)}; allowed: {', '.join(allowed)}"
    if kind == "union_tag_not_found":
        return f"`{path}` must be a mapping with the field `kind`, but is {_short(given)}"
    message = found["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"`{path}`: {message}" if path else message
    return f"`{path or cls.__name__}` is {_short(given)}; {message.replace('Input should', 'it must', 1)}"


def _short(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _locate(cls: type[Value], data: object, loc: tuple[int | str, ...], *, missing: bool) -> tuple[str, str, list[str]]:
    """Where an error is: its dotted path without pydantic's union tags, the class that holds it, its fields."""
    path: list[str] = []
    holder: type[Value] = cls
    annotation: Any = cls
    node: Any = data
    for i, part in enumerate(loc):
        inside = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        if not inside and not (missing and i == len(loc) - 1):
            continue  # the tag of a union
        chosen = _classes(annotation, node)
        holder = chosen or holder
        path.append(str(part))
        field = holder.model_fields.get(str(part)) if chosen else None
        annotation = field.annotation if field else annotation if isinstance(node, list) else None
        node = node[part] if inside else None  # pyright: ignore[reportCallIssue, reportArgumentType]
    return ".".join(path), holder.__name__, list(holder.model_fields)


def _classes(annotation: Any, node: object) -> type[Value] | None:
    """The Value class that an annotation means for this data: by `kind` where it is a union of several."""
    found = [c for c in _flatten(annotation) if isinstance(c, type) and issubclass(c, Value)]
    kind = node.get("kind") if isinstance(node, dict) else None
    tagged = [c for c in found if "kind" in c.model_fields and c.model_fields["kind"].default == kind]
    if isinstance(node, list):
        return None
    return (tagged or found or [None])[0]


def _flatten(annotation: Any) -> Iterable[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _flatten(argument)
