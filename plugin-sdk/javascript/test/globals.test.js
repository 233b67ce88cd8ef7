// The globals replace Node's in this process. What the tests themselves need of
// Node's is taken before.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { begin } from "../src/host.js";

const NOON = 1_797_249_600_000;
const {
    TextDecoder: NodeDecoder,
    TextEncoder: NodeEncoder,
    Date: NodeDate,
    console: nodes,
} = globalThis;
const random = Math.random;

// Node's own can only be defined anew.
Object.defineProperty(globalThis, "crypto", { value: undefined, writable: true });

let drawn = 0;
host.env = {
    nowMs: () => NOON,
    random(length) {
        assert.ok(length <= 1024);
        drawn += length;
        return new Uint8Array(randomBytes(length));
    },
};

await import("../src/globals/clock.js");
await import("../src/globals/chance.js");
await import("../src/globals/text.js");
await import("../src/globals/console.js");
const plugins = {
    Date,
    Math: { random: Math.random },
    TextDecoder,
    TextEncoder,
    console,
    crypto,
    performance,
};
// The test runner goes on with Node's.
globalThis.Date = NodeDate;
globalThis.console = nodes;
Math.random = random;

test("the clock is the host's, once the host has called", () => {
    const { Date } = plugins;
    assert.throws(() => Date.now(), /the clock was called while the plugin was built/);
    begin();
    assert.equal(Date.now(), NOON);
    assert.equal(new Date().getTime(), NOON);
    assert.equal(Date(), new Date(NOON).toString());
    assert.equal(new Date(0).toISOString(), "1970-01-01T00:00:00.000Z");
    assert.equal(new Date(Date.UTC(2026, 1, 3)).toISOString(), "2026-02-03T00:00:00.000Z");
    assert.ok(new Date() instanceof Date);
    assert.equal(new Date().constructor, Date);
    class Day extends Date {}
    assert.ok(new Day() instanceof Day);
    assert.equal(plugins.performance.timeOrigin + plugins.performance.now(), NOON);
});

test("Math.random is even, does not repeat, and asks the host once", () => {
    begin();
    drawn = 0;
    const counts = new Array(10).fill(0);
    const seen = new Set();
    for (let turn = 0; turn < 20_000; turn++) {
        const number = plugins.Math.random();
        assert.ok(number >= 0 && number < 1);
        counts[Math.floor(number * 10)] += 1;
        seen.add(number);
    }
    assert.equal(drawn, 16);
    assert.equal(seen.size, 20_000);
    // Six standard deviations about 2,000: by chance in one of 50 million runs.
    for (const count of counts) assert.ok(count > 1745 && count < 2255, `${counts}`);
});

test("crypto draws from the host", () => {
    begin();
    const { crypto } = plugins;
    assert.match(
        crypto.randomUUID(),
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    assert.notEqual(crypto.randomUUID(), crypto.randomUUID());
    // More than the contract gives at once, and only the part that is viewed.
    const whole = new Uint8Array(3002);
    const part = new Uint16Array(whole.buffer, 2, 1500);
    assert.equal(crypto.getRandomValues(part), part);
    assert.deepEqual([whole[0], whole[1]], [0, 0]);
    assert.ok(whole.subarray(2900).some((byte) => byte !== 0));
});

test("texts become the same bytes as elsewhere", () => {
    const texts = ["", "abc", "äöü€😀", "\ud800x", "\u0000", "x".repeat(10_000)];
    for (const text of texts) {
        assert.deepEqual(new plugins.TextEncoder().encode(text), new NodeEncoder().encode(text));
    }
});

test("bytes become the same text as elsewhere, also where they are broken", () => {
    const decoder = new plugins.TextDecoder();
    const pieces = ["a", "ä", "€", "😀", "\ufeff"].map((text) => [
        ...new NodeEncoder().encode(text),
    ]);
    for (let turn = 0; turn < 5_000; turn++) {
        const bytes = new Uint8Array(
            Array.from({ length: 6 }, () => {
                const piece = pieces[Math.floor(random() * pieces.length)];
                const cut = piece.slice(0, 1 + Math.floor(random() * piece.length));
                return random() < 0.2 ? [Math.floor(random() * 256)] : cut;
            }).flat(),
        );
        assert.equal(decoder.decode(bytes), new NodeDecoder().decode(bytes), `${bytes}`);
    }
    assert.throws(() =>
        new plugins.TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])),
    );
    assert.throws(() => new plugins.TextDecoder("latin1"), /no encoding but utf-8, and not latin1/);
});

test("console writes lines to the log", () => {
    begin();
    const lines = [];
    host.log = { emit: (level, message, fields) => lines.push([level, message, fields]) };
    const circle = {};
    circle.self = circle;
    plugins.console.log("a", { b: 1 }, [2], null, undefined, 3n);
    plugins.console.debug("d");
    plugins.console.info("i");
    plugins.console.warn(new TypeError("t"));
    plugins.console.error(circle);
    assert.deepEqual(lines, [
        ["info", 'a {"b":1} [2] null undefined 3', "{}"],
        ["debug", "d", "{}"],
        ["info", "i", "{}"],
        ["warn", "TypeError: t", "{}"],
        ["error", "[object Object]", "{}"],
    ]);
});
