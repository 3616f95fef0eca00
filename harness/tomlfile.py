"""TOML files into frozen values, strictly, with errors that name file, key, cause and remedy."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args, get_origin

import cattrs
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from harness.errors import InputError
from harness.quantity import Span, parse_frequency, parse_span, shorten

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")
_ASSIGNMENT: Final = re.compile(r"(?P<keys>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=(?P<value>.*)")
LARGEST_BYTES: Final = 1 << 20
KEY: Final = "key"
"""Field metadata: the key in the file, where it differs from the field's name."""


def read(path: Path, error: type[InputError]) -> dict[str, Any]:
    """Return the content of a TOML file; its non-integers are Decimals, so that nothing is rounded.

    Raises:
        InputError: As `error`: the file cannot be read, is larger than 1 MiB, is not UTF-8, or is
            not TOML.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as cause:
        raise error(
            "cannot be read", where=where, why=cause.strerror or str(cause), hint="check the path"
        ) from cause
    if len(raw) > LARGEST_BYTES:
        raise error("is larger than 1 MiB", where=where, hint="it is probably another kind of file")
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise error(
            "begins with a byte order mark",
            where=where,
            why=f"first bytes {raw[:3].hex(' ')}",
            hint="save it as UTF-8 without BOM",
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as cause:
        why = f"byte {raw[cause.start]:#04x} at offset {cause.start}"
        raise error("is not UTF-8", where=where, why=why, hint="save it as UTF-8") from cause
    return parse(text, where, error)


def parse(text: str, where: str, error: type[InputError]) -> dict[str, Any]:
    """Return the content of TOML text.

    Raises:
        InputError: As `error`: it is not TOML, or a key is there twice.
    """
    try:
        content: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as cause:
        match = re.search(r"at line (\d+)", str(cause))
        lines = text.splitlines()
        line = int(match[1]) if match else 0
        quote = f": {shorten(lines[line - 1].strip())}" if 0 < line <= len(lines) else ""
        twice = "overwrite" in str(cause) or "twice" in str(cause)
        raise error(
            "defines a key twice" if twice else "is not valid TOML",
            where=where,
            why=f"{cause}{quote}",
            hint="keep one of them" if twice else 'strings go in quotes, as in rate = "40 MHz"',
        ) from cause
    return content


def assign(content: Mapping[str, Any], assignment: str, error: type[InputError]) -> dict[str, Any]:
    """Return the content of a file with one key set; the given content stays as it is.

    Args:
        content: Tables as `read` returns them.
        assignment: Such as `run.events=1000`. The value is TOML, or a bare string if it is not.
        error: What to raise.

    Raises:
        InputError: As `error`: it is no assignment, or goes through a key that is not a table.
    """
    where = f"--set {shorten(assignment)}"
    match = _ASSIGNMENT.fullmatch(assignment.strip())
    if match is None:
        raise error("not an assignment", where=where, hint="such as run.events=1000")
    *tables, key = match["keys"].split(".")
    changed = dict(content)
    table = changed
    for name in tables:
        inner = table.get(name, {})
        if not isinstance(inner, Mapping):
            raise error(f"{name} is not a table", where=where, why=f"it is {shorten(inner)}")
        table[name] = dict(inner)
        table = table[name]
    table[key] = _value(match["value"].strip(), where, error)
    return changed


def near(word: str, known: list[str]) -> str:
    """Return a hint that names the likeliest of the known words."""
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {match[0]!r}?" if match else f"known: {', '.join(sorted(known))}"


def structure(data: object, cls: type[_T], where: str, error: type[InputError]) -> _T:
    """Return the content of a file as a frozen dataclass.

    Types are strict: a `Fraction` is written as a frequency with its unit, a `Span` as a time with
    its unit, a `Decimal` as any number; nothing else is converted. Unknown keys are refused.
    A dataclass may check itself in `__post_init__` by raising `InputError`, `where` naming the key.

    Raises:
        InputError: As `error`, for the first thing that is wrong.
    """
    try:
        return _converter().structure(data, cls)
    except (BaseValidationError, InputError) as cause:
        found = _located(cause)
        place = f"{where}: {found.where}" if found.where else where
        raise error(found.what, where=place, why=found.why, hint=found.hint) from cause


def _value(text: str, where: str, error: type[InputError]) -> Any:
    try:
        content = parse(f"value = {text}", where, error)
    except InputError as cause:
        # What was meant as TOML is not quietly turned into a string.
        if not text or text[0] in "\"'[{":
            raise error("the value is not valid TOML", where=where, why=cause.why) from cause
        return text
    return content["value"]


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind, label in ((int, "a whole number"), (str, "a string"), (bool, "true or false")):
        converter.register_structure_hook(kind, _exactly(kind, label))
    converter.register_structure_hook(Fraction, lambda value, _: parse_frequency(value))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Span, lambda value, _: parse_span(value))
    converter.register_structure_hook_func(_from(Literal), _choice)
    converter.register_structure_hook_func(_from(tuple, Sequence), partial(_row, converter))
    converter.register_structure_hook_func(_from(Mapping), partial(_table, converter))
    converter.register_structure_hook_factory(
        dataclasses.is_dataclass, lambda cl: _fields(cl, converter)
    )
    return converter


def _from(*origins: object) -> Callable[[Any], bool]:
    """Return whether a type is a parametrised one of these."""
    return lambda cl: any(get_origin(cl) is origin for origin in origins)


def _fields(cls: type[Any], converter: cattrs.Converter) -> Callable[[object, Any], Any]:
    renames = {
        field.name: override(rename=field.metadata[KEY])
        for field in dataclasses.fields(cls)
        if KEY in field.metadata
    }
    # cattrs takes one override a field by keyword, beside options of other types.
    options: dict[str, Any] = {**renames}
    inner = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **options)

    def hook(value: object, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise InputError("must be a table", why=f"got {shorten(value)}")
        return inner(value, kind)

    return hook


def _exactly(kind: type[object], label: str) -> Callable[[object, Any], Any]:
    def hook(value: object, _: Any) -> object:
        # bool is an int to Python, not to the author of the file.
        if type(value) is not kind:
            raise InputError(f"must be {label}", why=f"got {shorten(value)}")
        return value

    return hook


def _decimal(value: object, _: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InputError("must be a number", why=f"got {shorten(value)}")
    return Decimal(value)


def _choice(value: object, kind: Any) -> object:
    known = list(get_args(kind))
    if value not in known:
        hint = near(value, known) if isinstance(value, str) else f"known: {', '.join(known)}"
        raise InputError("is not one of the known words", why=f"got {shorten(value)}", hint=hint)
    return value


def _row(converter: cattrs.Converter, value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InputError(
            "must be a list", why=f"got {shorten(value)}", hint="write it in brackets: [...]"
        )
    return tuple(
        _item(converter, item, get_args(kind)[0], str(index)) for index, item in enumerate(value)
    )


def _table(converter: cattrs.Converter, value: object, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError("must be a table", why=f"got {shorten(value)}")
    return {key: _item(converter, item, get_args(kind)[1], key) for key, item in value.items()}


def _item(converter: cattrs.Converter, value: object, kind: Any, key: str) -> Any:
    try:
        return converter.structure(value, kind)
    except (BaseValidationError, InputError) as cause:
        found = _located(cause)
        place = f"{key}.{found.where}" if found.where else key
        raise InputError(found.what, where=place, why=found.why, hint=found.hint) from cause


def _located(cause: Exception) -> InputError:
    """Return the first error as one of ours, `where` being the whole path of keys."""
    keys, leaf = _first(cause)
    found = _explain(leaf)
    place = ".".join([*keys, *([found.where] if found.where else [])])
    return InputError(found.what, where=place, why=found.why, hint=found.hint)


def _first(cause: Exception) -> tuple[list[str], Exception]:
    """Return the path of keys to the first error, and that error; unknown keys come first.

    A misspelt key is also a missing one; the misspelling is what helps.
    """
    if isinstance(cause, BaseValidationError):
        names = _keys(cause.cl)
        found: list[tuple[list[str], Exception]] = []
        for child in cause.exceptions:
            keys, leaf = _first(child)
            notes = getattr(child, "__notes__", ())
            here = [names.get(note.name, note.name) for note in notes if hasattr(note, "name")]
            found.append(([*here[:1], *keys], leaf))
        return min(found, key=lambda item: not isinstance(item[1], ForbiddenExtraKeysError))
    return [], cause


def _keys(cls: Any) -> dict[str, str]:
    if not dataclasses.is_dataclass(cls):
        return {}
    return {field.name: field.metadata.get(KEY, field.name) for field in dataclasses.fields(cls)}


def _explain(leaf: Exception) -> InputError:
    if isinstance(leaf, InputError):
        return leaf
    if isinstance(leaf, ForbiddenExtraKeysError):
        unknown = min(leaf.extra_fields)
        return InputError(
            "is not a known key", where=unknown, hint=near(unknown, list(_keys(leaf.cl).values()))
        )
    if isinstance(leaf, KeyError):
        return InputError("is missing", hint="add it")
    return InputError("cannot be understood", why=str(leaf))
