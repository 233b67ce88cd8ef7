"""What the modules ask of the host, and what they make of its answers."""

import unittest
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from relata_plugin import (
    Error,
    Reference,
    _host,
    env,
    events,
    http,
    log,
    messages,
    records,
    secrets,
    state,
)

from . import stand_in
from .stand_in import Entity, Header, Host, Item, Page, Response, Tally


@dataclass
class Lead:
    name: str
    company: str | None


class WithHost(unittest.TestCase):
    def setUp(self) -> None:
        self.host = Host().install()


class Records(WithHost):
    def test_reading(self) -> None:
        self.host.records["lead/anna"] = '{"name": "Anna", "size": 3}'
        lead = records.get(Reference("lead/anna"))
        self.assertEqual((lead.reference, lead.revision), ("lead/anna", 7))
        self.assertEqual((lead["name"], lead["company"]), ("Anna", None))
        self.assertEqual(lead.parse(Lead), Lead("Anna", None))

    def test_a_field_that_does_not_fit(self) -> None:
        self.host.records["lead/anna"] = '{"name": 7}'
        with self.assertRaises(Error) as error:
            records.get("lead/anna").parse(Lead)
        self.assertEqual(error.exception.code, "permanent")
        self.assertEqual(
            error.exception.message, "lead/anna: `name` should be a text, not a number"
        )

    def test_writing(self) -> None:
        records.update("lead/anna", {"due": date(2026, 12, 24)}, if_revision=7)
        records.create("lead", {"name": "Ödön"})
        records.delete("lead/anna")
        self.assertEqual(
            self.host.asked,
            [
                ("update", "lead/anna", '{"due": "2026-12-24"}', 7),
                ("create", "lead", '{"name": "\\u00d6d\\u00f6n"}'),
                ("delete", "lead/anna", None),
            ],
        )

    def test_fields_are_a_dict(self) -> None:
        with self.assertRaisesRegex(TypeError, "expected a dict with names and values, not a list"):
            records.update("lead/anna", ["name"])  # type: ignore[arg-type]

    def test_a_query_reads_page_after_page(self) -> None:
        first, second = (Entity("lead", id, 1, "{}") for id in ("1", "2"))
        self.host.pages = [Page([first], "next"), Page([second], None)]
        open = records.query("lead").one_of("status", ["new"]).is_empty("owner").fields("name")
        self.assertEqual([lead.reference for lead in open], ["lead/1", "lead/2"])
        conditions = [("status", "ONE_OF", '["new"]'), ("owner", "IS_EMPTY", "null")]
        self.assertEqual(
            self.host.asked,
            [
                ("query", "lead", conditions, ["name"], 1_000, None),
                ("query", "lead", conditions, ["name"], 1_000, "next"),
            ],
        )

    def test_the_first_of_none(self) -> None:
        self.host.pages = [Page([], None)]
        self.assertIsNone(records.query("lead").first())
        self.assertEqual(self.host.asked[0][4], 1)

    def test_counts_come_by_value(self) -> None:
        self.host.tallies = [Tally("null", 2), Tally('"user/1"', 3)]
        counts = records.query("lead").equal("status", "new").count_by("owner")
        self.assertEqual(counts, [(None, 2), ("user/1", 3)])
        filter = [("status", "EQUAL", '"new"')]
        self.assertEqual(self.host.asked, [("count_by", "lead", filter, "owner")])

    def test_a_calendar_is_open_now_or_at_a_time(self) -> None:
        self.assertTrue(records.is_open("calendar/support"))
        records.is_open("calendar/support", datetime(2026, 12, 14, 11, tzinfo=UTC))
        hour = 3_600_000
        at = [("is_open", "calendar/support", stand_in.NOW_MS + late) for late in (0, hour)]
        self.assertEqual(self.host.asked, at)

    def test_a_query_is_not_changed_by_what_is_added(self) -> None:
        all = records.query("lead")
        all.equal("name", "Anna")
        self.assertEqual(all.conditions, ())


class Others(WithHost):
    def test_state(self) -> None:
        self.host.state["total"] = Item("[1]", 3)
        self.assertEqual(state.get("total"), state.Item([1], 3))
        self.assertIsNone(state.get("other"))
        state.put("total", Lead("Anna", None), if_revision=3, ttl=timedelta(days=365))
        self.assertEqual(
            self.host.asked,
            [("put", "total", '{"name": "Anna", "company": null}', 3, 31_536_000_000)],
        )

    def test_messages_and_events(self) -> None:
        mail = messages.send_mail("lead/anna", "welcome", {"line": "hello"})
        self.assertEqual(mail, messages.Queued("m1"))
        notice = messages.notify("user/1", "look", about="lead/anna")
        self.assertEqual(notice, messages.Suppressed("quiet hours"))
        events.emit("lead.welcomed", ["lead/anna"])
        (_, sent), (_, told), emitted = self.host.asked
        self.assertEqual(
            (sent.to, sent.template, sent.data), ("lead/anna", "welcome", '{"line": "hello"}')
        )
        self.assertEqual((told.to, told.text, told.about), ("user/1", "look", "lead/anna"))
        self.assertEqual(emitted, ("emit", "lead.welcomed", ["lead/anna"], "{}"))

    def test_the_world(self) -> None:
        self.assertEqual(env.now(), datetime(2026, 12, 14, 10, tzinfo=UTC))
        self.assertEqual(env.today(), date(2026, 12, 14))
        self.assertEqual(env.deadline() - env.now(), timedelta(seconds=30))
        self.assertEqual(len(env.random(2_500)), 2_500)
        self.assertFalse(env.cancelled())

    def test_the_log(self) -> None:
        log.warn("many are open", team=Reference("team/dach"), at=date(2026, 12, 24))
        self.assertEqual(
            self.host.logged,
            [("WARN", "many are open", '{"team": "team/dach", "at": "2026-12-24"}')],
        )

    def test_an_interface_that_the_plugin_was_not_built_with(self) -> None:
        stand_in.without("state")
        with self.assertRaises(Error) as error:
            state.get("total")
        self.assertEqual(error.exception.code, "denied")
        self.assertIn("add state = true under [permissions]", error.exception.message)

    def test_outside_of_a_call(self) -> None:
        _host._calling = False
        with self.assertRaisesRegex(
            RuntimeError, "the host's clock and random bytes are there in a call"
        ):
            env.now()


class Http(WithHost):
    def test_a_request(self) -> None:
        self.host.answer = Response(200, [], b"")
        token = secrets.placeholder("token")
        http.get(
            "https://api.example/v1?a=1",
            query={"domain": "ö.example"},
            headers={"authorization": f"Bearer {token}"},
            timeout=timedelta(seconds=2),
        )
        http.post("https://api.example/v1", json={"on": date(2026, 12, 24)})
        http.send("PUT", "https://api.example/v1", body="ö", headers={"Content-Type": "text/plain"})
        got, posted, put = (request for _, request in self.host.asked)
        self.assertEqual(got.method.name, "GET")
        self.assertEqual(got.url, "https://api.example/v1?a=1&domain=%C3%B6.example")
        self.assertEqual(got.headers, [Header("authorization", "Bearer <token>")])
        self.assertEqual((got.body, got.timeout_ms), (b"", 2_000))
        self.assertEqual(posted.headers, [Header("content-type", "application/json")])
        self.assertEqual(posted.body, b'{"on": "2026-12-24"}')
        self.assertEqual(put.headers, [Header("Content-Type", "text/plain")])
        self.assertEqual(put.body, "ö".encode())

    def test_an_answer(self) -> None:
        headers = [Header("Link", "<a>"), Header("link", "<b>"), Header("retry-after", "30")]
        self.host.answer = Response(429, headers, '{"name": "Bräu"}'.encode())
        response = http.get("https://api.example:8443/")
        self.assertEqual(response.headers, {"link": "<a>, <b>", "retry-after": "30"})
        self.assertEqual(response.retry_after, timedelta(seconds=30))
        self.assertEqual(response.parse(Lead), Lead("Bräu", None))

    def test_a_status_is_an_error_where_it_is_asked_for(self) -> None:
        busy = [Header("retry-after", "30")]
        for status, code, after in [
            (429, "transient", timedelta(seconds=30)),
            (500, "transient", timedelta(seconds=30)),
            (403, "permanent", None),
        ]:
            with self.subTest(status=status), self.assertRaises(Error) as error:
                self.host.answer = Response(status, busy, b"")
                http.get("https://api.example/v1?name=anna").raise_for_status()
            self.assertEqual(error.exception.message, f"api.example answered {status}")
            self.assertEqual((error.exception.code, error.exception.retry_after), (code, after))
        self.host.answer = Response(204, [], b"")
        self.assertEqual(http.get("https://api.example/").raise_for_status().status, 204)

    def test_times_to_wait_that_are_no_seconds(self) -> None:
        for text in ("", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30):
            with self.subTest(text=text):
                self.host.answer = Response(503, [Header("retry-after", text)], b"")
                self.assertIsNone(http.get("https://api.example/").retry_after)

    def test_an_unreadable_answer(self) -> None:
        for body, why in [
            (b"<html>", "it is not JSON"),
            (b'\xff"', "it is not JSON"),
            (b"[]", "it should be an object, not a list"),
            (b'{"name": null}', "`name` should be a text, not null"),
        ]:
            with self.subTest(why=why), self.assertRaises(Error) as error:
                self.host.answer = Response(200, [], body)
                http.get("https://api.example:8443/").parse(Lead)
            self.assertEqual(error.exception.code, "permanent")
            self.assertEqual(
                error.exception.message, f"api.example answered something unreadable: {why}"
            )

    def test_no_answer(self) -> None:
        self.host.answer = stand_in.refuse("TRANSIENT", "timed out", 1_500, '{"after": 10}')
        with self.assertRaises(Error) as error:
            http.get("https://api.example/")
        self.assertEqual(error.exception.code, "transient")
        self.assertEqual(error.exception.retry_after, timedelta(seconds=1.5))
        self.assertEqual(error.exception.details, {"after": 10})

    def test_a_delivery(self) -> None:
        self.assertEqual(http.deliver("POST", "https://api.example/", json=[1]), "d1")
        self.assertEqual(self.host.asked[0][1].body, b"[1]")
