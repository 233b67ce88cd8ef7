import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { events, messages, records, state } from "../src/index.js";
import { begin } from "../src/host.js";

const ANNA = { object: "lead", id: "17", revision: 4, fields: '{"name":"Anna"}' };

let calls;

/** A host function that remembers what it was given, and answers in turn. */
function answering(...answers) {
    return (...given) => {
        calls.push(given);
        return answers.shift();
    };
}

beforeEach(() => {
    calls = [];
    begin();
});

test("a record has its reference, and fields that are values", () => {
    host.records = { get: answering(ANNA) };
    assert.deepEqual(records.get("lead/17"), {
        reference: "lead/17",
        object: "lead",
        id: "17",
        revision: 4,
        fields: { name: "Anna" },
    });
});

test("a failure of the host is a RelataError", () => {
    host.records = {
        get() {
            throw failure("not-found", "there is no lead `nobody`", { details: '{"near":[]}' });
        },
    };
    assert.throws(() => records.get("lead/nobody"), {
        name: "RelataError",
        code: "not-found",
        message: "there is no lead `nobody`",
        details: { near: [] },
    });
});

test("a query reads all pages", () => {
    host.records = {
        query: answering(
            { entities: [ANNA, ANNA], cursor: "2" },
            { entities: [ANNA], cursor: null },
        ),
    };
    assert.equal(records.query("lead", { fields: ["name"] }).length, 3);
    assert.deepEqual(calls, [
        ["lead", [], ["name"], 1000, null],
        ["lead", [], ["name"], 1000, "2"],
    ]);
});

test("a query with a limit asks for no more than that", () => {
    const page = Array.from({ length: 1000 }, () => ANNA);
    host.records = {
        query: answering(
            { entities: page, cursor: "1" },
            { entities: page.slice(0, 200), cursor: "2" },
        ),
    };
    assert.equal(records.query("lead", { limit: 1200 }).length, 1200);
    assert.deepEqual(
        calls.map((given) => given[3]),
        [1000, 200],
    );
});

test("the first of none is undefined", () => {
    host.records = { query: answering({ entities: [], cursor: null }) };
    assert.equal(records.first("lead"), undefined);
    assert.equal(calls[0][3], 1);
});

test("conditions are those of the contract", () => {
    host.records = { count: answering(3) };
    const where = {
        status: "new",
        owner: null,
        score: { atLeast: 10, less: 50 },
        country: { oneOf: ["DE", "AT"] },
        phone: { empty: false },
    };
    assert.equal(records.count("lead", where), 3);
    assert.deepEqual(calls[0][1], [
        { field: "status", operator: "equal", value: '"new"' },
        { field: "owner", operator: "is-empty", value: "null" },
        { field: "score", operator: "greater-or-equal", value: "10" },
        { field: "score", operator: "less", value: "50" },
        { field: "country", operator: "one-of", value: '["DE","AT"]' },
        { field: "phone", operator: "is-not-empty", value: "null" },
    ]);
});

test("counts come by value", () => {
    host.records = {
        countBy: answering([
            { value: "null", count: 2 },
            { value: '"user/1"', count: 3 },
        ]),
    };
    assert.deepEqual(records.countBy("lead", "owner", { status: "new" }), [
        { value: null, count: 2 },
        { value: "user/1", count: 3 },
    ]);
    const filter = [{ field: "status", operator: "equal", value: '"new"' }];
    assert.deepEqual(calls, [["lead", filter, "owner"]]);
});

test("a calendar is open at a time", () => {
    host.records = { isOpen: answering(false) };
    assert.equal(records.isOpen("calendar/support", new Date(1_797_242_400_000)), false);
    assert.deepEqual(calls, [["calendar/support", 1_797_242_400_000]]);
});

test("a misspelt operator or option is refused", () => {
    assert.throws(
        () => records.count("lead", { score: { min: 1 } }),
        /the condition on score has no `min`; it may have equal,/,
    );
    assert.throws(() => records.query("lead", { wher: {} }), /a query has no `wher`/);
    assert.throws(() => records.update("lead/17", {}, { revision: 1 }), /no `revision`/);
});

test("a record can be given where a reference is asked for", () => {
    host.records = { get: answering(ANNA), update: answering(ANNA), delete: answering() };
    const anna = records.get("lead/17");
    records.update(anna, { name: "A" }, { ifRevision: anna.revision });
    records.delete(anna);
    assert.deepEqual(calls.slice(1), [
        ["lead/17", '{"name":"A"}', 4],
        ["lead/17", null],
    ]);
});

test("fields that are no object are refused", () => {
    assert.throws(
        () => records.create("lead", ["name"]),
        /a new record is an object, not \["name"\]/,
    );
    assert.throws(() => records.update("lead/17", null), TypeError);
});

test("a value of the plugin's own is what was put", () => {
    host.state = { get: answering({ value: '{"n":1}', revision: 2 }, null), put: answering(3) };
    assert.deepEqual(state.get("k"), { value: { n: 1 }, revision: 2 });
    assert.equal(state.get("k"), undefined);
    assert.equal(state.put("k", { n: 2 }, { ifRevision: 0, ttlMs: 1000 }), 3);
    assert.deepEqual(calls[2], ["k", '{"n":2}', 0, 1000]);
    assert.throws(() => state.put("k", undefined), /the value for the key k has no JSON/);
});

test("a mail was queued, or not and why", () => {
    host.messages = {
        sendMail: answering({ tag: "queued", val: "m1" }),
        notify: answering({ tag: "suppressed", val: "no consent" }),
    };
    const mail = { to: "lead/17", template: "welcome" };
    assert.deepEqual(messages.sendMail(mail), { queued: true, id: "m1" });
    assert.deepEqual(messages.notify({ to: "user/eva", text: "hello" }), {
        queued: false,
        reason: "no consent",
    });
    assert.deepEqual(calls, [
        [{ to: "lead/17", template: "welcome", data: "{}" }],
        [{ to: "user/eva", text: "hello", about: null }],
    ]);
});

test("an event has its records and data", () => {
    host.events = { emit: answering() };
    events.emit("lead.greeted", ["lead/17"], { by: "mail" });
    assert.deepEqual(calls, [["lead.greeted", ["lead/17"], '{"by":"mail"}']]);
});
