"""What a value is here: frozen, strict, with YAML as its file form, and errors of one sentence.

Not here: any particular value (they stand beside what they describe) and anything that trains.
"""

import copy
import difflib
import json
import re
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError, to_jsonable_python


class InputError(ValueError):
    """A mistake of the user's, told in one sentence that names the field, the value and what is allowed.

    `path` is the dotted path of what is wrong in the data that were read, '' where it is all of them.
    """

    def __init__(self, sentence: str, path: str = "") -> None:
        super().__init__(sentence)
        self.path = path


class Value(BaseModel):
    """A frozen pydantic model: unknown fields, wrong types, NaN and infinity are errors; 1 is 1.0 in a float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, as plain data, of the fields that may be left out beside the given ones."""
        fields = _fields(cls)
        return {name: to_jsonable_python(f.default, by_alias=True) for name, f in fields.items() if not f.is_required()}

    @classmethod
    def parse(cls, data: object) -> Self:
        """The value that plain data (dicts, lists, scalars) describe; InputError names path, value, allowed."""
        _check_plain(data, cls.__name__)
        try:
            return cls.model_validate_json(json.dumps(data))  # JSON mode: a list may stand for a tuple
        except ValidationError as error:
            raise _input_error(cls, data, error) from None

    @classmethod
    def load(cls, text: str) -> Self:
        """The value that a YAML text describes; InputError names the line."""
        data = read_yaml(text)
        if data is None:
            raise InputError("line 1: there is nothing in it")
        try:
            return cls.parse(data)
        except InputError as error:
            raise InputError(f"line {line_of(text, error.path)}: {error}", error.path) from None

    def __copy__(self) -> Self:
        """Without what cached properties keep: who copies may change a field next."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            vars(copied).pop(name)
        return copied

    def replaced(self, **fields: object) -> Self:
        """A copy with some fields new, checked like any other; InputError names what is wrong."""
        try:
            return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **fields})
        except ValidationError as error:
            raise _input_error(type(self), {}, error) from None

    def plain(self) -> dict[str, Any]:
        """This value as dicts, lists and scalars."""
        return self.model_dump(mode="json", by_alias=True)

    def dump(self) -> str:
        """This value as YAML; `load` gives it back."""
        return yaml.dump(self.plain(), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


V = TypeVar("V", bound=Value)
_Allowed = tuple[type[Value], ...]  # the classes that a field may hold


def override(value: V, changes: Mapping[str, object]) -> V:
    """A copy in which each dotted path has its new value or subtree; all are applied, then checked, at once.

    A new `kind` and a new subtree start from their defaults, whichever order the changes have. InputError for an
    unknown path, with the nearest known one.
    """
    data = value.plain()
    for path in sorted(changes, key=lambda p: (p.count("."), not p.endswith("kind"))):
        _check_plain(changes[path], path)
        _set(data, path, copy.deepcopy(changes[path]))
        if path.endswith("kind") or isinstance(changes[path], dict | list):  # else nothing is left out
            data = _filled((type(value),), data)
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
    return InputError(f"there is no path `{path}`{nearest(path, paths(data))}; {inside}: {listed}", path)


def _set(data: dict[str, Any], path: str, new: object) -> None:
    parent, last = _parent(data, path)
    key = _key(parent, last)
    if key is None and not (isinstance(parent, dict) and "kind" in parent):  # a new kind may have other fields
        raise _unknown_path(data, path, path.rpartition(".")[0], parent)
    if last == "kind" and parent["kind"] != new:
        parent.clear()
    parent[last if key is None else key] = new


def _filled(allowed: _Allowed, data: Any) -> Any:
    """Plain data with the defaults of the fields that it leaves out; what is wrong in it stays as it is."""
    if isinstance(data, list):
        return [_filled(allowed, item) for item in data]
    cls = _chosen(allowed, data) if isinstance(data, dict) else None
    if cls is None or ("kind" in cls.model_fields and "kind" not in data):
        return data
    inside = _inside(cls)
    given = {name: _filled(inside.get(name, ()), child) for name, child in data.items()}
    return {**cls.defaults(data), **given}


# --- plain data -------------------------------------------------------------------------------------

_SCALARS = (str, int, float, type(None))


def _check_plain(data: object, root: str) -> None:
    """InputError where data hold anything but mappings with text as keys, lists and scalars; it names the path."""
    try:
        found = _not_plain(data, "")
    except RecursionError:
        raise InputError(f"`{root}` must be plain data, but holds itself, or is too deep") from None
    if found is not None:
        path, wrong = found
        raise InputError(
            f"`{path or root}` is {short(wrong)}, a {type(wrong).__name__}; "
            "it must be a mapping, a list, text, a number, true, false or null"
        )


def _not_plain(data: object, path: str) -> tuple[str, object] | None:
    """Path and value of the first thing in data that is not plain."""
    if not isinstance(data, dict | list | tuple):
        return None if isinstance(data, _SCALARS) else (path, data)
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, child in items:
        if not isinstance(key, _SCALARS):
            return path, key
        if isinstance(child, _SCALARS):
            continue
        found = _not_plain(child, f"{path}.{key}".lstrip("."))
        if found is not None:
            return found
    return None


# --- YAML -------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML 1.2's scalars, as people write them (1e-3 is a number, `on` is text); a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        nodes = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in nodes]
        doubled = next((i for i, key in enumerate(keys) if key in keys[:i]), None)
        if doubled is not None:
            line = nodes[doubled].start_mark.line + 1
            raise InputError(f"line {line}: the key `{keys[doubled]}` is given twice")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes the text that _Loader would read as something else."""


# PyYAML follows YAML 1.1, in which 1e-3 is text, `on` a boolean, 010 eight and 1:30 ninety; these are YAML 1.2's.
# A whole number longer than Python reads is text, and refused as such.
_SCALAR_TAGS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (
        r"[-+]?\d{1,400}|0o[0-7]{1,400}|0x[\da-fA-F]{1,400}",
        list("-+0123456789"),
    ),  # Python's longest: 4300 digits
    "float": (
        r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    "merge": (r"<<", ["<"]),
}
_Loader.yaml_implicit_resolvers = {}
for _class in (_Loader, _Dumper):  # the dumper also quotes what readers of YAML 1.1 would take for something else
    for _tag, (_pattern, _first) in _SCALAR_TAGS.items():
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Quoted with escapes where it holds a line break of YAML 1.1's, which the reader would fold."""
    style = '"' if re.search("[\x85\u2028\u2029]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Dumper.add_representer(str, _text)


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


def line_of(text: str, path: str) -> int:
    """The line (from 1) of what a dotted path leads to in a YAML text, or of what would hold it."""
    node = yaml.compose(text, _Loader)
    line, found = 1, _step(node, path)
    while found is not None:
        line, node, path = found
        found = _step(node, path)
    return line


def _step(node: yaml.Node | None, path: str) -> tuple[int, yaml.Node, str] | None:
    """The line and node that a path's beginning leads to, and its rest; a key may have dots, as those of patches."""
    if isinstance(node, yaml.MappingNode):
        fitting = [pair for pair in node.value if f"{path}.".startswith(f"{pair[0].value}.")]
        if not fitting:
            return None
        key, child = max(fitting, key=lambda pair: len(pair[0].value))
        return key.start_mark.line + 1, child, path[len(key.value) + 1 :]
    part, _, rest = path.partition(".")
    if isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
        child = node.value[int(part)]
        return child.start_mark.line + 1, child, rest
    return None


# --- one sentence out of a pydantic error -----------------------------------------------------------

_WORDS = {
    "Input should": "it must",
    "Tuple should": "the list must",
    "Dictionary should": "the mapping must",
    "be an object": "be a mapping",
    "a valid dictionary": "a mapping",
    "a valid array": "a list",
    "a valid tuple": "a list",
    "a valid string": "text",
}


def _input_error(cls: type[Value], data: object, error: ValidationError) -> InputError:
    found = _most_telling(error.errors(include_url=False))
    path, holder, ok = _locate(cls, data, found["loc"], missing=found["type"] == "missing")
    return InputError(_sentence(cls, found, path, holder, ok), f"{path}.{_deeper(found)}".strip("."))


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """The first error; a field that is missing is told by the unknown one beside it, which may be it, misspelt."""
    first = errors[0]
    beside = (e for e in errors if e["type"] == "extra_forbidden" and e["loc"][:-1] == first["loc"][:-1])
    return next(beside, first) if first["type"] == "missing" else first


def _deeper(found: ErrorDetails) -> str:
    """The path from where pydantic puts an error to what it is about; '' where that is the place."""
    if found["type"] == "union_tag_invalid":
        return "kind"
    if found["type"] == "union_tag_not_found":
        return _misspelt_kind(found["input"])
    return found.get("ctx", {}).get("at", "")  # where a validator of the whole knows better


def _misspelt_kind(given: object) -> str:
    """The key of a mapping without a `kind` that looks like it; '' where none does."""
    keys = map(str, given) if isinstance(given, dict) else ()
    return next(iter(difflib.get_close_matches("kind", keys, n=1, cutoff=0.7)), "")


def wrong_at(path: str, sentence: str) -> PydanticCustomError:
    """What a validator raises that knows which of a value's fields is wrong, by its path inside the value."""
    return PydanticCustomError("value_error", "{sentence}", {"sentence": sentence, "at": path})


def wrong_first(sentence: str) -> PydanticCustomError:
    """The same of a sentence that begins with the path of what is wrong."""
    return wrong_at(sentence.partition(" ")[0], sentence)


def _sentence(cls: type[Value], found: ErrorDetails, path: str, holder: str, ok: list[str]) -> str:
    kind, context, given = found["type"], found.get("ctx", {}), found["input"]
    name = path.rpartition(".")[2]
    if kind == "extra_forbidden":
        return f"there is no field `{path}`{nearest(name, ok)}; {holder} has: {', '.join(ok)}"
    if kind == "missing":
        return f"`{path}` is missing: {holder} needs `{name}`"
    if kind in ("union_tag_invalid", "literal_error"):
        wrong = given["kind"] if "tag" in context else given
        expected = str(context.get("expected_tags", context.get("expected")))
        allowed = re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)
        field = f"{path}.kind" if "tag" in context else path
        return f"`{field}` is {short(wrong)}{nearest(str(wrong), allowed)}; allowed: {', '.join(allowed)}"
    if kind == "union_tag_not_found":
        if misspelt := _misspelt_kind(given):
            return f"there is no field `{path}.{misspelt}` (did you mean `kind`?)"
        return f"`{path}` must be a mapping with the field `kind`, but is {short(given)}"
    message = found["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"`{path}`: {message}" if path else message
    return f"`{path or cls.__name__}` is {short(given)}; {_in_our_words(message)}"


def _in_our_words(message: str) -> str:
    """Pydantic's message with the names that YAML has for things."""
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message


def short(given: object) -> str:
    """A value as it is quoted in a sentence, cut to 60 characters."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _locate(cls: type[Value], data: object, loc: tuple[int | str, ...], *, missing: bool) -> tuple[str, str, list[str]]:
    """Where an error is: its dotted path without pydantic's union tags, the class that holds it, its fields."""
    path: list[str] = []
    holder: type[Value] = cls
    allowed: _Allowed = (cls,)
    node: Any = data
    for i, part in enumerate(loc):
        inside = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        if not inside and not (missing and i == len(loc) - 1):
            continue  # the tag of a union
        if not isinstance(node, list):
            chosen = _chosen(allowed, node)
            holder = chosen or holder
            allowed = _inside(chosen).get(str(part), ()) if chosen else ()
        path.append(str(part))
        node = node[part] if inside else None  # pyright: ignore[reportCallIssue, reportArgumentType]
    return ".".join(path), holder.__name__, list(_fields(holder))


def _fields(cls: type[Value]) -> dict[str, FieldInfo]:
    """A class's fields by the names that they have in files."""
    return {field.alias or name: field for name, field in cls.model_fields.items()}


@cache
def _inside(cls: type[Value]) -> dict[str, _Allowed]:
    """The Value classes that each of a class's fields may hold."""
    return {
        name: tuple(c for c in _flatten(field.annotation) if isinstance(c, type) and issubclass(c, Value))
        for name, field in _fields(cls).items()
    }


def _chosen(allowed: _Allowed, data: object) -> type[Value] | None:
    """Of the classes that are allowed, the one that this data describe: by `kind` where they are several."""
    kind = data.get("kind") if isinstance(data, dict) else None
    tagged = [c for c in allowed if "kind" in c.model_fields and c.model_fields["kind"].default == kind]
    return next(iter(tagged or allowed), None)


def _flatten(annotation: Any) -> Iterable[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _flatten(argument)
