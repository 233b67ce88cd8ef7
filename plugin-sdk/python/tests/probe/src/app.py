"""Everything that the SDK can call, and the standard library, in a component.
Each action is a topic; `tests/probe.test.yaml` says what has to come of it."""

import asyncio
import hashlib
import logging
import os
import random
import secrets as stdlib_secrets
import socket
import tempfile
import time
import traceback
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import helper

from relata_plugin import (
    Context,
    Due,
    Error,
    Of,
    Plugin,
    Reference,
    Retry,
    Schema,
    Skip,
    Template,
    env,
    events,
    http,
    log,
    messages,
    records,
    retry,
    secrets,
    skip,
    state,
)

WORDS = Path(__file__).with_name("words.txt").read_text().split()
EARLY = random.Random()
SEEN: list[str] = []

plugin = Plugin()


@dataclass
class Nothing:
    pass


@dataclass
class Said:
    said: list[Any]


@dataclass
class OfLead:
    lead: Annotated[Reference, Of("lead")]


@dataclass
class Lead:
    name: str
    country: str | None


@plugin.action(title="Records", reads=["lead"], writes=["lead"])
def on_records(ctx: Context, input: OfLead) -> Said:
    lead = records.get(input.lead)
    changed = records.update(lead.reference, {"company": 'Brücke "1"'}, if_revision=lead.revision)
    try:
        records.update(lead.reference, {"company": "late"}, if_revision=lead.revision)
    except Error as error:
        late = error.code
    made = records.create("lead", {"name": "Dora", "email": "dora@brewery.example"})
    by_country = records.query("lead").count_by("country")
    records.delete(made.reference)
    try:
        records.get(made.reference)
    except Error as error:
        gone = error.code
    austrian = records.query("lead").equal("country", "AT")
    first = records.query("lead").one_of("name", ["Cleo", "Dora"]).fields("name").first()
    return Said(
        [
            lead.parse(Lead).name,
            changed["company"],
            changed.revision - lead.revision,
            late,
            gone,
            austrian.count(),
            by_country,
            [found["name"] for found in austrian],
            first["name"] if first else None,
        ]
    )


@plugin.action(title="State")
def on_state(ctx: Context, input: Nothing) -> Said:
    before = state.get("seen")
    state.put("seen", {"at": env.today()}, ttl=timedelta(days=400))
    after = state.get("seen")
    return Said([before.value if before else None, after.value if after else None])


@dataclass
class ToTell:
    lead: Annotated[Reference, Of("lead")]
    user: Annotated[Reference, Of("user")]
    template: Template


@plugin.action(title="Messages and events")
def on_people(ctx: Context, input: ToTell) -> Said:
    mail = messages.send_mail(input.lead, input.template, {"line": "hello"})
    notice = messages.notify(input.user, "look at this", about=input.lead)
    events.emit("probe.done", [input.lead, input.user], {"at": env.today()})
    log.warn("told 1 user", user=input.user)
    return Said([isinstance(mail, messages.Queued), isinstance(notice, messages.Queued)])


@dataclass
class Order:
    order: str


@plugin.action(title="Web services")
def on_web(ctx: Context, input: Order) -> Said:
    token = secrets.placeholder("probe-token")
    headers = {"authorization": f"Bearer {token}"}
    response = http.post("https://service.example/orders", json=input, headers=headers)
    id = http.deliver("POST", "https://service.example/orders", body="ü", headers=headers)
    answer = response.raise_for_status().parse(Order)
    return Said([response.status, response.headers["x-kind"], answer.order, id != ""])


@dataclass
class Typed:
    due: Due
    day: date
    how: Literal["fast", "slow"]
    times: Annotated[int, Schema(minimum=1)] = 3
    tags: list[str] = field(default_factory=list)
    note: str | None = None


@plugin.action(title="Types")
def on_types(ctx: Context, input: Typed) -> Said:
    in_an_hour = input.due - env.now() == timedelta(hours=1)
    return Said([in_an_hour, input.day, input.how, input.times, input.tags, input.note])


@plugin.action(title="The clock")
def on_clock(ctx: Context, input: Nothing) -> Said:
    return Said(
        [
            str(datetime.now()),
            str(datetime.now(UTC)),
            date.today(),
            time.strftime("%H:%M"),
            time.time() == env.now().timestamp() == time.monotonic(),
            str(datetime.strptime("24.12.2026", "%d.%m.%Y")),
            env.deadline() > env.now(),
        ]
    )


@plugin.action(title="Chance")
def on_chance(ctx: Context, input: Nothing) -> Said:
    as_built = random.Random(0).random()
    drawn = [
        random.random(),
        EARLY.random(),
        random.Random().random(),
        random.SystemRandom().random(),
        stdlib_secrets.token_hex(),
        uuid.uuid4(),
        os.urandom(2_000),
        as_built,
    ]
    repeats = random.Random(7).random() == random.Random(7).random()
    return Said([len(set(drawn)) == len(drawn), repeats])


@plugin.action(title="Words")
def on_words(ctx: Context, input: Nothing) -> Nothing:
    print("one line of", 3)
    logging.getLogger("probe").warning("a %s", "warning")
    logging.debug("not by default")
    print("without an end", end="")
    try:
        helper.divide(1, 0)
    except ZeroDivisionError:
        log.warn(traceback.format_exc().splitlines()[-1])
    return Nothing()


def late_import() -> None:
    import wave  # noqa: F401


MISSING: dict[str, Callable[[], Any]] = {
    "open": lambda: open("/etc/passwd"),  # noqa: SIM115
    "listdir": lambda: os.listdir("/"),
    "temporary": tempfile.TemporaryFile,
    "socket": socket.socket,
    "urlopen": lambda: urllib.request.urlopen("http://service.example"),
    "asyncio": lambda: asyncio.new_event_loop(),
    "sleep": lambda: time.sleep(1),
    "input": input,
    "import": late_import,
}


@plugin.action(title="What there is not")
def on_missing(ctx: Context, input: Nothing) -> Said:
    said = []
    for name, use in MISSING.items():
        try:
            use()
            said.append(f"{name}: there")
        except Exception as error:
            said.append(f"{name}: {type(error).__name__}")
    return Said(said)


@plugin.action(title="The snapshot")
def on_snapshot(ctx: Context, input: Nothing) -> Said:
    SEEN.append("call")
    return Said([WORDS, len(SEEN), hashlib.sha256(b"relata").hexdigest()[:8]])


@dataclass
class How:
    how: str


@plugin.action(title="Endings")
def on_end(ctx: Context, input: How) -> Said | Skip | Retry:
    match input.how:
        case "skip":
            return skip("nothing to do")
        case "retry":
            return retry(timedelta(seconds=90), "not yet")
        case "fail":
            raise Error("transient", "busy", retry_after=timedelta(seconds=5))
        case "divide":
            helper.divide(1, 0)
        case "exit":
            raise SystemExit(3)
        case "recurse":
            return on_end(ctx, input)
        case "hoard":
            return Said(["x" * (100 << 20)])
        case "set":
            return Said([{1}])
    return Said([ctx.attempt > 0, ctx.idempotency_key != "", ctx.dry_run])
