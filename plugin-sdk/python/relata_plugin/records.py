"""The company's records: reading, counting, creating, changing.

    lead = records.get(input.lead)
    open = records.query("lead").equal("owner", lead["owner"]).one_of("status", ["new"]).count()
    records.update(lead.reference, {"note": f"{open} open"})

What a call writes it also reads back; others see it when the step commits.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from . import _host, _shape, env
from ._types import Reference
from .error import Error

T = TypeVar("T")

_PAGE = 1_000
"""How many records a page holds: the contract's maximum."""


@dataclass(frozen=True)
class Record:
    """A record as it is now, or those of its fields that were asked for."""

    reference: Reference
    revision: int
    """Goes up by one with each change; see `update`."""
    fields: dict[str, Any]
    """References are texts, times RFC 3339 in UTC, dates `2026-12-24`."""

    def __getitem__(self, field: str) -> Any:
        """One field; an empty one is None."""
        return self.fields.get(field)

    def parse(self, type_: type[T]) -> T:
        """Its fields as a dataclass of your own. A field that may be empty is
        `… | None` there."""
        try:
            return _shape.read(type_, self.fields)
        except _shape.Misfit as misfit:
            raise Error("permanent", f"{self.reference}: {misfit}") from None


def get(record: str) -> Record:
    """One record, or a `not-found` error."""
    host = _host.interface("records")
    return _record(_host.call(host.get, str(record)))


def create(object: str, fields: Mapping[str, Any]) -> Record:
    """Creates a record. Its id is known at once."""
    host = _host.interface("records")
    return _record(_host.call(host.create, object, _host.json_object(fields)))


def update(record: str, fields: Mapping[str, Any], *, if_revision: int | None = None) -> Record:
    """Sets the named fields and leaves the others. With `if_revision`, only if
    the record still has it; otherwise a `conflict` error. A write that changes
    nothing leaves the revision as it is, and no workflow notices it."""
    host = _host.interface("records")
    return _record(_host.call(host.update, str(record), _host.json_object(fields), if_revision))


def delete(record: str, *, if_revision: int | None = None) -> None:
    """Deletes a record."""
    host = _host.interface("records")
    _host.call(host.delete, str(record), if_revision)


def is_open(calendar: str, at: datetime | None = None) -> bool:
    """Whether a calendar is open at a time, by default now: its holidays and
    extra days count, in its own time zone. A `not-found` error if there is no
    such calendar. Needs the permission to read calendars."""
    at_ms = env.now_ms() if at is None else round(at.timestamp() * 1_000)
    is_open: bool = _host.call(_host.interface("records").is_open, str(calendar), at_ms)
    return is_open


def query(object: str) -> "Query":
    """Asks for the records of an object: add conditions, then say what you want
    of them. All conditions must hold."""
    return Query(object)


@dataclass(frozen=True)
class Query:
    """Conditions on the records of one object, made by `query`.

    Each method gives a new query. Nothing is read before `all()`, `first()`,
    `count()` or a `for` over it.
    """

    object: str
    conditions: tuple[tuple[str, str, Any], ...] = ()
    names: tuple[str, ...] = ()

    def equal(self, field: str, value: Any) -> "Query":
        """The field equals the value."""
        return self._where(field, "EQUAL", value)

    def not_equal(self, field: str, value: Any) -> "Query":
        """The field does not equal the value."""
        return self._where(field, "NOT_EQUAL", value)

    def less(self, field: str, value: Any) -> "Query":
        """The field is less than the value."""
        return self._where(field, "LESS", value)

    def at_most(self, field: str, value: Any) -> "Query":
        """The field is at most the value."""
        return self._where(field, "LESS_OR_EQUAL", value)

    def greater(self, field: str, value: Any) -> "Query":
        """The field is greater than the value."""
        return self._where(field, "GREATER", value)

    def at_least(self, field: str, value: Any) -> "Query":
        """The field is at least the value."""
        return self._where(field, "GREATER_OR_EQUAL", value)

    def one_of(self, field: str, values: Iterable[Any]) -> "Query":
        """The field equals one of the values."""
        return self._where(field, "ONE_OF", list(values))

    def contains(self, field: str, value: Any) -> "Query":
        """The field, a list or a text, contains the value."""
        return self._where(field, "CONTAINS", value)

    def is_empty(self, field: str) -> "Query":
        """The field is empty."""
        return self._where(field, "IS_EMPTY", None)

    def is_not_empty(self, field: str) -> "Query":
        """The field is not empty."""
        return self._where(field, "IS_NOT_EMPTY", None)

    def fields(self, *names: str) -> "Query":
        """Reads only these fields: less to copy, and less that must be
        permitted."""
        return Query(self.object, self.conditions, self.names + names)

    def __iter__(self) -> Iterator[Record]:
        """The records that meet the conditions, the oldest first, read in pages
        of 1,000."""
        cursor = None
        while True:
            page = self._page(_PAGE, cursor)
            yield from map(_record, page.entities)
            cursor = page.cursor
            if cursor is None:
                return

    def all(self) -> list[Record]:
        """All records that meet the conditions, the oldest first."""
        return list(self)

    def first(self) -> Record | None:
        """The oldest record that meets the conditions, if there is one."""
        page = self._page(1, None)
        return _record(page.entities[0]) if page.entities else None

    def count(self) -> int:
        """How many records meet the conditions."""
        host = _host.interface("records")
        count: int = _host.call(host.count, self.object, self._filter(host))
        return count

    def count_by(self, field: str) -> list[tuple[Any, int]]:
        """How many records meet the conditions for each value of a field.

        `None` stands for those where it is empty. Not for fields with several
        values at once.
        """
        host = _host.interface("records")
        tallies = _host.call(host.count_by, self.object, self._filter(host), field)
        return [(json.loads(tally.value), tally.count) for tally in tallies]

    def _where(self, field: str, operator: str, value: Any) -> "Query":
        condition = (field, operator, _shape.write(value))
        return Query(self.object, (*self.conditions, condition), self.names)

    def _filter(self, host: Any) -> list[Any]:
        return [
            host.Condition(field, host.Operator[operator], json.dumps(value))
            for field, operator, value in self.conditions
        ]

    def _page(self, limit: int, cursor: str | None) -> Any:
        host = _host.interface("records")
        return _host.call(
            host.query, self.object, self._filter(host), list(self.names), limit, cursor
        )


def _record(entity: Any) -> Record:
    return Record(
        reference=Reference(f"{entity.object}/{entity.id}"),
        revision=entity.revision,
        fields=json.loads(entity.fields),
    )
