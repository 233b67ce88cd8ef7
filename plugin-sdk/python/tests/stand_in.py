"""A stand-in for the bindings that componentize-py generates: the same names,
and a host that answers from a few dicts and notes what it was asked."""

import sys
from dataclasses import dataclass, field, make_dataclass
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

from relata_plugin import _host

NOW_MS = 1_797_242_400_000
"""2026-12-14 10:00 UTC."""


@dataclass(frozen=True)
class Err(Exception):
    value: Any


def record(name: str, fields: str) -> type:
    return make_dataclass(name, fields.split())


CODES = "DENIED INVALID NOT_FOUND CONFLICT LIMIT TRANSIENT PERMANENT CANCELLED"
OPERATORS = (
    "EQUAL NOT_EQUAL LESS LESS_OR_EQUAL GREATER GREATER_OR_EQUAL ONE_OF CONTAINS IS_EMPTY "
    "IS_NOT_EMPTY"
)

Code = Enum("Code", CODES, start=0)
HostError = record("Error", "code message retry_after_ms details")
Entity = record("Entity", "object id revision fields")
Item = record("Item", "value revision")
Page = record("Page", "entities cursor")
Tally = record("Tally", "value count")
Response = record("Response", "status headers body")
Header = record("Header", "name value")
Queued = record("Receipt_Queued", "value")
Suppressed = record("Receipt_Suppressed", "value")
Done = record("Outcome_Done", "value")
Retry = record("Outcome_Retry", "value")
Skip = record("Outcome_Skip", "value")
Descriptor = record(
    "Descriptor",
    "id title summary input_schema output_schema reads writes correlation exclusive idempotent",
)


def refuse(code: str, message: str, after: int | None = None, details: str | None = None) -> Err:
    return Err(HostError(Code[code], message, after, details))


@dataclass
class Host:
    """What the host knows and what it was asked."""

    records: dict[str, str] = field(default_factory=dict)
    """The JSON of the fields, by reference."""
    state: dict[str, Any] = field(default_factory=dict)
    answer: Any = None
    """What the next request gets: a Response, or an Err."""
    pages: list[Any] = field(default_factory=list)
    tallies: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    logged: list[tuple[str, str, str]] = field(default_factory=list)
    panics: list[tuple[str, str]] = field(default_factory=list)

    def note(self, *what: Any) -> None:
        self.asked.append(what)

    def get(self, reference: str) -> Any:
        self.note("get", reference)
        if reference not in self.records:
            raise refuse("NOT_FOUND", f"there is no {reference}")
        object, _, id = reference.partition("/")
        return Entity(object, id, 7, self.records[reference])

    def update(self, reference: str, fields: str, if_revision: int | None) -> Any:
        self.note("update", reference, fields, if_revision)
        object, _, id = reference.partition("/")
        return Entity(object, id, 8, fields)

    def create(self, object: str, fields: str) -> Any:
        self.note("create", object, fields)
        return Entity(object, "new", 1, fields)

    def query(self, object: str, filter: Any, fields: Any, limit: int, cursor: Any) -> Any:
        conditions = [(c.field, c.operator.name, c.value) for c in filter]
        self.note("query", object, conditions, fields, limit, cursor)
        return self.pages.pop(0)

    def count_by(self, object: str, filter: Any, by: str) -> Any:
        conditions = [(c.field, c.operator.name, c.value) for c in filter]
        self.note("count_by", object, conditions, by)
        return self.tallies

    def put(self, key: str, value: str, if_revision: int | None, ttl_ms: int | None) -> int:
        self.note("put", key, value, if_revision, ttl_ms)
        return 1

    def send(self, request: Any) -> Any:
        self.note("send", request)
        if isinstance(self.answer, Err):
            raise self.answer
        return self.answer

    def install(self) -> "Host":
        """Puts the bindings where a component has them."""
        interfaces: dict[str, dict[str, Any]] = {
            "types": {"Code": Code, "Error": HostError},
            "records": {
                "get": self.get,
                "update": self.update,
                "create": self.create,
                "query": self.query,
                "count": lambda object, filter: len(self.records),
                "count_by": self.count_by,
                "is_open": lambda *arguments: self.note("is_open", *arguments) or True,
                "delete": lambda *arguments: self.note("delete", *arguments),
                "Condition": record("Condition", "field operator value"),
                "Operator": Enum("Operator", OPERATORS),
            },
            "messages": {
                "Mail": record("Mail", "to template data"),
                "Notice": record("Notice", "to text about"),
                "Receipt_Queued": Queued,
                "Receipt_Suppressed": Suppressed,
                "send_mail": lambda mail: self.note("mail", mail) or Queued("m1"),
                "notify": lambda notice: self.note("notify", notice) or Suppressed("quiet hours"),
            },
            "events": {"emit": lambda *arguments: self.note("emit", *arguments)},
            "state": {"get": self.state.get, "put": self.put},
            "http": {
                "Method": Enum("Method", "GET HEAD POST PUT PATCH DELETE"),
                "Header": Header,
                "Request": record("Request", "method url headers body timeout_ms"),
                "send": self.send,
                "deliver": lambda request: self.note("deliver", request) or "d1",
            },
            "secrets": {"placeholder": lambda name: f"<{name}>"},
            "env": {
                "now_ms": lambda: NOW_MS,
                "random": lambda length: bytes(range(length % 256)).ljust(length, b"\7"),
                "deadline_ms": lambda: NOW_MS + 30_000,
                "cancelled": lambda: False,
            },
            "log": {
                "Level": Enum("Level", "DEBUG INFO WARN ERROR"),
                "emit": lambda level, *line: self.logged.append((level.name, *line)),
                "panic": lambda *panic: self.panics.append(panic),
            },
        }
        module(
            "wit_world.exports.actions",
            {
                "Correlation": record("Correlation", "event output_field"),
                "Descriptor": Descriptor,
                "Outcome_Done": Done,
                "Outcome_Retry": Retry,
                "Outcome_Skip": Skip,
            },
        )
        for name, names in interfaces.items():
            module(f"wit_world.imports.{name}", names)
        module("componentize_py_types", {"Err": Err})
        _host.begin()
        return self


def module(path: str, names: dict[str, Any]) -> None:
    for end in (at for at, letter in enumerate(path) if letter == "."):
        sys.modules.setdefault(path[:end], ModuleType(path[:end])).__path__ = []
    made = ModuleType(path)
    vars(made).update(names)
    sys.modules[path] = made


def without(interface: str) -> None:
    """Takes the bindings of one interface away."""
    sys.modules[f"wit_world.imports.{interface}"] = None  # type: ignore[assignment]


def context() -> Any:
    return SimpleNamespace(
        run_id="run_1",
        step_id="enrich",
        attempt=2,
        idempotency_key="key",
        subject="lead/anna",
        dry_run=False,
    )
