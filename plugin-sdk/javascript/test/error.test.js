import assert from "node:assert/strict";
import { test } from "node:test";

import { RelataError, fromHost, toHost } from "../src/error.js";

test("an error survives the way to the host and back", () => {
    const error = new RelataError("limit", "the mail server is busy", {
        retryAfterMs: 90_000,
        details: { queue: 7 },
    });
    const told = toHost(error);
    assert.deepEqual(told, {
        code: "limit",
        message: "the mail server is busy",
        retryAfterMs: 90_000,
        details: '{"queue":7}',
    });
    const back = fromHost(told);
    assert.deepEqual(
        [back.code, back.message, back.retryAfterMs, back.details],
        ["limit", "the mail server is busy", 90_000, { queue: 7 }],
    );
});

test("what an error does not say is null there and undefined here", () => {
    const told = toHost(new RelataError("permanent", "no"));
    assert.deepEqual([told.retryAfterMs, told.details], [null, null]);
    const back = fromHost(told);
    assert.deepEqual([back.retryAfterMs, back.details], [undefined, undefined]);
});

test("a time to wait is whole, not shorter than asked, and fits", () => {
    const told = (retryAfterMs) => toHost(new RelataError("transient", "", { retryAfterMs }));
    assert.equal(told(1500.2).retryAfterMs, 1501);
    assert.equal(told(1e12).retryAfterMs, 4294967295);
    assert.throws(() => told(-1), /retryAfterMs is a number of milliseconds, not -1/);
    assert.throws(() => told("30"), TypeError);
});

test("a code that does not exist is refused", () => {
    assert.throws(() => new RelataError("notFound", "x"), /no code `notFound`; there are denied,/);
});

test("an error is an Error, with its name and cause", () => {
    const cause = new Error("why");
    const error = new RelataError("invalid", "x", { cause });
    assert.equal(String(error), "RelataError: x");
    assert.equal(error.cause, cause);
});
