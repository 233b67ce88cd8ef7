"""Types of Python and what they are in JSON.

A type is looked at once, when the plugin is built: what comes of it is its
JSON Schema, and the function that reads a value of it.
"""

import ast
import dataclasses
import enum
import inspect
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ._types import Reference, Schema, Template

T = TypeVar("T")


class Misfit(Exception):
    """A JSON value that is not of a type. It never says the value, which may
    be a customer's."""

    def __init__(self, at: str, why: str) -> None:
        super().__init__(f"`{at}` {why}" if at else f"it {why}")


class Unfit(TypeError):
    """A type that has no JSON."""


@dataclass(frozen=True)
class Shape:
    """A type, seen from JSON."""

    schema: dict[str, Any]
    read: Callable[[Any, str], Any]
    """Takes a JSON value and its place, such as `lines[2].name`."""
    nullable: bool = False
    """Whether it is `… | None`: what is not there reads as None then."""


def read(type_: type[T], value: Any) -> T:
    """A JSON value as a type of Python; raises `Misfit`."""
    result: T = shape(type_).read(value, "")
    return result


def shape(type_: Any) -> Shape:
    """What a type is in JSON; raises `Unfit` if it is nothing."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _annotated(arguments[0], type_.__metadata__)
    if origin is Literal:
        return _choice(list(arguments), {word: word for word in arguments})
    if origin in (Union, types.UnionType):
        others = [argument for argument in arguments if argument is not types.NoneType]
        if len(others) == 1 and len(arguments) == 2:
            return _optional(shape(others[0]))
        raise Unfit(f"{_name(type_)}: only `… | None` can be told apart in JSON; use Any")
    if type_ is list or origin is list:
        return _list(shape(arguments[0] if arguments else Any))
    if type_ is dict or origin is dict:
        if arguments and arguments[0] is not str:
            raise Unfit(f"{_name(type_)}: the keys of a JSON object are str")
        return _dict(shape(arguments[1] if arguments else Any))
    if type_ in _PLAIN:
        return _PLAIN[type_]
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        words = [member.value for member in type_]
        return _choice(words, {member.value: member for member in type_})
    if isinstance(type_, type) and dataclasses.is_dataclass(type_):
        return _object(type_)
    raise Unfit(
        f"{_name(type_)} has no JSON; there are str, int, float, bool, datetime, date, list, "
        "dict[str, …], Literal, Enum, dataclasses, Reference, Template, Due, Any, and … | None"
    )


def write(value: Any) -> Any:
    """A value of Python as JSON; raises `Unfit`."""
    if isinstance(value, enum.Enum):
        return write(value.value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        # Everything in the sandbox is UTC.
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: write(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        wrong = next((key for key in value if not isinstance(key, str)), None)
        if wrong is not None:
            raise Unfit(f"the keys of a JSON object are str, not {_name(type(wrong))}")
        return {str(key): write(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [write(part) for part in value]
    raise Unfit(f"a {_name(type(value))} has no JSON")


def _annotated(type_: Any, metadata: tuple[Any, ...]) -> Shape:
    plain = shape(type_)
    schema = dict(plain.schema)
    for said in metadata:
        if isinstance(said, Schema):
            schema |= said.keywords
    return dataclasses.replace(plain, schema=schema)


def _plain(kind: str, name: str, accepts: Callable[[Any], bool], **keywords: Any) -> Shape:
    def read(value: Any, at: str) -> Any:
        if not accepts(value):
            raise Misfit(at, f"should be {name}, not {_kind(value)}")
        return value

    return Shape({"type": kind, **keywords}, read)


def _text(format: str, make: Callable[[str], Any], name: str = "a text") -> Shape:
    def read(value: Any, at: str) -> Any:
        try:
            if isinstance(value, str):
                return make(value)
        except ValueError:
            raise Misfit(at, f"should be {name}") from None
        raise Misfit(at, f"should be {name}, not {_kind(value)}")

    return Shape({"type": "string", "format": format}, read)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _whole(value: Any, at: str) -> int:
    # In JSON 3 and 3.0 are the same number.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Misfit(at, f"should be a whole number, not {_kind(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_PLAIN: dict[Any, Shape] = {
    Any: Shape({}, lambda value, at: value),
    str: _plain("string", "a text", lambda value: isinstance(value, str)),
    bool: _plain("boolean", "true or false", lambda value: isinstance(value, bool)),
    int: Shape({"type": "integer"}, _whole),
    float: _plain("number", "a number", _is_number),
    datetime: _text("date-time", _moment, "a time as in 2026-12-24T18:00:00Z"),
    date: _text("date", date.fromisoformat, "a date as in 2026-12-24"),
    Reference: _text("record", Reference),
    Template: _text("template", Template),
}


def _choice(words: list[Any], meant: Mapping[Any, Any]) -> Shape:
    kinds = {type(word) for word in words}
    if kinds != {str} and kinds != {int}:
        raise Unfit(f"the choices {words} should all be str, or all int")
    kind = "string" if kinds == {str} else "integer"

    def read(value: Any, at: str) -> Any:
        # True == 1 in Python, not in JSON.
        if type(value) in kinds and value in meant:
            return meant[value]
        raise Misfit(at, f"should be one of {', '.join(map(str, words))}")

    return Shape({"type": kind, "enum": words}, read)


def _optional(inner: Shape) -> Shape:
    schema = dict(inner.schema)
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]

    def read(value: Any, at: str) -> Any:
        return None if value is None else inner.read(value, at)

    return Shape(schema, read, nullable=True)


def _list(inner: Shape) -> Shape:
    def read(value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise Misfit(at, f"should be a list, not {_kind(value)}")
        return [inner.read(part, f"{at}[{index}]") for index, part in enumerate(value)]

    return Shape({"type": "array", "items": inner.schema}, read)


def _dict(inner: Shape) -> Shape:
    def read(value: Any, at: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(at, f"should be an object, not {_kind(value)}")
        return {key: inner.read(part, _below(at, key)) for key, part in value.items()}

    schema: dict[str, Any] = {"type": "object"}
    if inner.schema:
        schema["additionalProperties"] = inner.schema
    return Shape(schema, read)


class _Field(NamedTuple):
    shape: Shape
    has_default: bool

    @property
    def required(self) -> bool:
        return not self.has_default and not self.shape.nullable


_OPEN: list[type] = []
"""The dataclasses that are being looked at, the outermost first."""


# Many records of one type may be read in a call.
@cache
def _object(type_: Any) -> Shape:
    if type_ in _OPEN:
        raise Unfit("it contains itself; use Any there")
    hints = get_type_hints(type_, include_extras=True)
    docs = _field_docs(type_)
    fields: dict[str, _Field] = {}
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(type_):
        if not field.init:
            continue
        _OPEN.append(type_)
        try:
            inner = shape(hints[field.name])
        except Unfit as unfit:
            raise Unfit(f"the field `{field.name}` of {_name(type_)}: {unfit}") from None
        finally:
            _OPEN.remove(type_)
        schema = dict(inner.schema)
        if field.name in docs:
            schema.setdefault("description", docs[field.name])
        if field.default is not MISSING and field.default is not None:
            schema["default"] = write(field.default)
        has_default = field.default is not MISSING or field.default_factory is not MISSING
        fields[field.name] = _Field(inner, has_default)
        properties[field.name] = schema

    def read(value: Any, at: str) -> Any:
        if not isinstance(value, dict):
            raise Misfit(at, f"should be an object, not {_kind(value)}")
        arguments = {}
        for name, field in fields.items():
            if name in value:
                arguments[name] = field.shape.read(value[name], _below(at, name))
            elif field.required:
                raise Misfit(_below(at, name), "is missing")
            elif not field.has_default:
                arguments[name] = None
        try:
            return type_(**arguments)
        except ValueError as why:  # what `__post_init__` says of the values
            raise Misfit(at, f"is not valid: {why}") from None

    return Shape(
        {
            "type": "object",
            "properties": properties,
            "required": [name for name, field in fields.items() if field.required],
            # So that a misspelt name is an error and not silence.
            "additionalProperties": False,
        },
        read,
    )


def _field_docs(type_: type) -> dict[str, str]:
    """The text in quotation marks that follows a field, as editors show it."""
    docs: dict[str, str] = {}
    for cls in reversed(type_.__mro__):
        if not dataclasses.is_dataclass(cls):
            continue
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        except (OSError, TypeError):
            continue  # made by a program: there is no source
        if not isinstance(body, ast.ClassDef):
            continue
        for field, doc in zip(body.body, body.body[1:], strict=False):
            match field, doc:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    docs[name] = inspect.cleandoc(text)
    return docs


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _name(type_: Any) -> str:
    return type_.__qualname__ if isinstance(type_, type) else str(type_)
