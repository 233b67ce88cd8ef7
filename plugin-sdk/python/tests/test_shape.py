import unittest
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

from relata_plugin import Due, Of, Reference, Schema, Template
from relata_plugin._shape import Misfit, Unfit, read, shape, write


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Rank(IntEnum):
    FIRST = 1
    LAST = 9


@dataclass
class Line:
    name: str
    count: int = 1


@dataclass
class Order:
    """What somebody ordered."""

    lines: list[Line]
    """What,
    and how often."""
    note: str | None
    mood: Mood = Mood.GOOD
    tags: list[str] = field(default_factory=list)
    total: float | None = None


@dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("the number should be above 0")


@dataclass
class Tree:
    children: "list[Tree]"


class Schemas(unittest.TestCase):
    def test_plain_types(self) -> None:
        cases: list[tuple[Any, dict[str, Any]]] = [
            (str, {"type": "string"}),
            (int, {"type": "integer"}),
            (float, {"type": "number"}),
            (bool, {"type": "boolean"}),
            (Any, {}),
            (datetime, {"type": "string", "format": "date-time"}),
            (date, {"type": "string", "format": "date"}),
            (list[int], {"type": "array", "items": {"type": "integer"}}),
            (list, {"type": "array", "items": {}}),
            (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
            (dict[str, Any], {"type": "object"}),
            (str | None, {"type": ["string", "null"]}),
            (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
            (Literal["a"] | None, {"type": ["string", "null"], "enum": ["a", None]}),
            (Mood, {"type": "string", "enum": ["good", "bad"]}),
            (Rank, {"type": "integer", "enum": [1, 9]}),
        ]
        for type_, schema in cases:
            with self.subTest(type=type_):
                self.assertEqual(shape(type_).schema, schema)

    def test_types_of_relata(self) -> None:
        cases: list[tuple[Any, dict[str, Any]]] = [
            (Reference, {"type": "string", "format": "record"}),
            (Template, {"type": "string", "format": "template"}),
            (Due, {"type": "string", "format": "due"}),
            (Annotated[Reference, Of("lead")], {"type": "string", "format": "record/lead"}),
            (
                Annotated[Reference, Of("user", "queue")] | None,
                {"type": ["string", "null"], "format": "record/user|queue"},
            ),
            (
                Annotated[int, Schema(minimum=1, maximum=9)],
                {"type": "integer", "minimum": 1, "maximum": 9},
            ),
            (
                Annotated[dict[str, Any], Schema({"x-fields-of": "record"})],
                {"type": "object", "x-fields-of": "record"},
            ),
        ]
        for type_, schema in cases:
            with self.subTest(type=type_):
                self.assertEqual(shape(type_).schema, schema)

    def test_a_dataclass_takes_its_docs_and_defaults_along(self) -> None:
        line = {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "count": {"type": "integer", "default": 1},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
        self.assertEqual(
            shape(Order).schema,
            {
                "type": "object",
                "properties": {
                    "lines": {
                        "type": "array",
                        "items": line,
                        "description": "What,\nand how often.",
                    },
                    "note": {"type": ["string", "null"]},
                    "mood": {"type": "string", "enum": ["good", "bad"], "default": "good"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "total": {"type": ["number", "null"]},
                },
                "required": ["lines"],
                "additionalProperties": False,
            },
        )

    def test_types_without_json_say_where_they_are(self) -> None:
        @dataclass
        class Odd:
            when: timedelta

        cases: list[tuple[Any, str]] = [
            (complex, "complex has no JSON"),
            (int | str, "only `… | None` can be told apart"),
            (dict[int, str], "the keys of a JSON object are str"),
            (Literal["a", 1], "should all be str, or all int"),
            (Odd, "the field `when` of .*Odd: timedelta has no JSON"),
        ]
        for type_, why in cases:
            with self.subTest(type=type_), self.assertRaisesRegex(Unfit, why):
                shape(type_)

    def test_a_type_that_contains_itself(self) -> None:
        with self.assertRaisesRegex(Unfit, "the field `children` of Tree: it contains itself"):
            shape(Tree)


class Reading(unittest.TestCase):
    def test_a_dataclass(self) -> None:
        given = {"lines": [{"name": "tea", "count": 3.0}], "mood": "bad", "unknown": 1}
        self.assertEqual(
            read(Order, given),
            Order(lines=[Line("tea", 3)], note=None, mood=Mood.BAD, tags=[], total=None),
        )

    def test_texts_become_what_they_mean(self) -> None:
        noon = datetime(2026, 12, 24, 12, tzinfo=UTC)
        self.assertEqual(read(datetime, "2026-12-24T12:00:00.000Z"), noon)
        self.assertEqual(read(datetime, "2026-12-24T13:00:00+01:00"), noon)
        self.assertEqual(read(date, "2026-12-24"), date(2026, 12, 24))
        lead = read(Reference, "lead/17")
        self.assertEqual((lead.object, lead.id), ("lead", "17"))

    def test_what_does_not_fit_names_its_place_and_never_the_value(self) -> None:
        cases: list[tuple[Any, Any, str]] = [
            (
                Order,
                {"lines": [{"name": "a"}, {"name": 7}]},
                "`lines[1].name` should be a text, not a number",
            ),
            (Order, {"lines": [{}]}, "`lines[0].name` is missing"),
            (Order, {"lines": "Anna"}, "`lines` should be a list, not a text"),
            (Order, {"lines": [], "mood": "Anna"}, "`mood` should be one of good, bad"),
            (Order, [], "it should be an object, not a list"),
            (
                Line,
                {"name": "a", "count": True},
                "`count` should be a whole number, not true or false",
            ),
            (Line, {"name": "a", "count": 1.5}, "`count` should be a whole number, not a number"),
            (Line, {"name": None}, "`name` should be a text, not null"),
            (dict[str, int], {"a": "Anna"}, "`a` should be a whole number, not a text"),
            (datetime, "Anna", "it should be a time as in 2026-12-24T18:00:00Z"),
            (Rank, True, "it should be one of 1, 9"),
            (Positive, {"number": -1}, "it is not valid: the number should be above 0"),
        ]
        for type_, value, why in cases:
            with self.subTest(why=why):
                with self.assertRaises(Misfit) as misfit:
                    read(type_, value)
                self.assertEqual(str(misfit.exception), why)


class Writing(unittest.TestCase):
    def test_values(self) -> None:
        berlin = timezone(timedelta(hours=1))
        cases: list[tuple[Any, Any]] = [
            (
                Order([Line("tea")], None),
                {
                    "lines": [{"name": "tea", "count": 1}],
                    "note": None,
                    "mood": "good",
                    "tags": [],
                    "total": None,
                },
            ),
            (Reference("lead/17"), "lead/17"),
            (Rank.LAST, 9),
            ((1, 2.5, True), [1, 2.5, True]),
            (date(2026, 12, 24), "2026-12-24"),
            (datetime(2026, 12, 24, 13, tzinfo=berlin), "2026-12-24T12:00:00.000Z"),
            (datetime(2026, 12, 24, 13), "2026-12-24T13:00:00.000Z"),
        ]
        for value, written in cases:
            with self.subTest(value=value):
                self.assertEqual(write(value), written)
        self.assertIs(type(write(Reference("lead/17"))), str)

    def test_what_has_no_json(self) -> None:
        for value, why in [({1}, "a set has no JSON"), ({1: 2}, "are str, not int")]:
            with self.subTest(why=why), self.assertRaisesRegex(Unfit, why):
                write({"there": [value]})
