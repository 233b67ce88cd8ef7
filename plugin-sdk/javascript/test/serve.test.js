import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RelataError, action, plugin, records, retry, skip } from "../src/index.js";
import { serve } from "../src/serve.js";

const CONTEXT = { runId: "run", stepId: "step", attempt: 1, subject: null, dryRun: false };
const NOWHERE = '{"files":[],"segments":[]}';

let panics;

beforeEach(() => {
    panics = [];
    host.log = { panic: (...given) => panics.push(given) };
});

function run(definition, input = {}, places = NOWHERE) {
    const greet = action({ title: "Greet", ...definition });
    return serve(plugin({ greet }), places).run(CONTEXT, "greet", JSON.stringify(input));
}

/** What an action's end looks like to the host. */
function failureOf(run) {
    try {
        run();
    } catch (told) {
        return told;
    }
    return assert.fail("it did not fail");
}

// First, because nothing calls the SDK before it.
test("nothing calls the host while the plugin is built", () => {
    assert.throws(
        () => records.get("lead/17"),
        /records.get was called while the plugin was built: .* Move it into `run`$/,
    );
});

test("an action is described with what it leaves out", () => {
    const greet = action({
        title: "Greet",
        input: { type: "object", properties: { to: { type: "string" } } },
        run: () => ({}),
    });
    assert.deepEqual(serve(plugin({ greet }), NOWHERE).describe(), [
        {
            id: "greet",
            title: "Greet",
            summary: "",
            inputSchema:
                '{"additionalProperties":false,"type":"object","properties":{"to":{"type":"string"}}}',
            outputSchema: '{"type":"object"}',
            reads: [],
            writes: [],
            correlation: [],
            exclusive: null,
            idempotent: true,
        },
    ]);
});

test("an input that is open stays open", () => {
    const input = { type: "object", properties: {}, additionalProperties: true };
    const greet = action({ title: "Greet", input, run: () => ({}) });
    const [{ inputSchema }] = serve(plugin({ greet }), NOWHERE).describe();
    assert.equal(JSON.parse(inputSchema).additionalProperties, true);
});

test("an action gets its input and context, and ends as it says", () => {
    const output = run({ run: ({ to }, { attempt }) => ({ to, attempt }) }, { to: "lead/17" });
    assert.deepEqual(output, { tag: "done", val: '{"to":"lead/17","attempt":1}' });
    assert.deepEqual(run({ run: () => undefined }), { tag: "done", val: "{}" });
    assert.deepEqual(run({ run: () => skip("no need") }), { tag: "skip", val: "no need" });
    assert.deepEqual(run({ run: () => retry(1500.5, "busy") }), {
        tag: "retry",
        val: [1501, "busy"],
    });
});

test("a RelataError is no fault of the plugin", () => {
    const told = failureOf(() =>
        run({
            run() {
                throw new RelataError("transient", "busy", { retryAfterMs: 9 });
            },
        }),
    );
    assert.deepEqual(told, { code: "transient", message: "busy", retryAfterMs: 9, details: null });
    assert.deepEqual(panics, []);
});

test("any other error is told with its place in the author's source", () => {
    const fault = new TypeError("x is null");
    fault.stack = "    at map (native)\n    at pick (user.js:9:12)\n    at run (user.js:20:7)\n";
    // Line 9 is the SDK's, line 20 the author's line 4.
    const places = JSON.stringify({
        files: ["src/plugin.js"],
        segments: [20, 0, 0, 4, 2, 20, 6, 0, 4, 8, 20, 9, 0, 4, 20],
    });
    const told = failureOf(() =>
        run(
            {
                run() {
                    throw fault;
                },
            },
            {},
            places,
        ),
    );
    assert.deepEqual(panics, [["TypeError: x is null", "src/plugin.js:4:9"]]);
    assert.equal(told.code, "permanent");
    assert.equal(told.message, "TypeError: x is null (src/plugin.js:4:9)");
});

test("what is thrown need not be an error", () => {
    const told = failureOf(() =>
        run({
            run() {
                throw "just a text";
            },
        }),
    );
    assert.equal(told.message, "just a text");
    assert.deepEqual(panics, [["just a text", ""]]);
});

test("an action that ends with something else is told", () => {
    const message = (returned) => failureOf(() => run({ run: () => returned })).message;
    assert.match(message(Promise.resolve({})), /action `greet` returned a promise/);
    assert.match(message([]), /action `greet` returned no object, skip\(…\) or retry\(…\)/);
    assert.match(message("done"), /returned no object/);
});

test("an action that is not there", () => {
    const told = failureOf(() =>
        serve(plugin({ greet: action({ title: "G", run: () => ({}) }) }), NOWHERE).run(
            CONTEXT,
            "toString",
            "{}",
        ),
    );
    assert.equal(told.code, "not-found");
    assert.equal(told.message, "this plugin has no action `toString`; it has greet");
});

test("a slip in an action is told when the plugin is built", () => {
    const run = () => ({});
    assert.throws(() => action({ title: "G", exlusive: "k", run }), /no `exlusive`; it may have/);
    assert.throws(() => action({ run }), /an action has a title/);
    assert.throws(() => action({ title: "G" }), /"G" has no function `run`/);
    assert.throws(() => action({ title: "G", run: async () => ({}) }), /`run` of "G" is async/);
    assert.throws(
        () => action({ title: "G", input: { properties: {} }, run }),
        /the input of "G" is a JSON Schema with type: "object"/,
    );
    assert.throws(
        () => plugin({ greetLead: action({ title: "G", run }) }),
        /be called `greetLead`/,
    );
    assert.throws(() => plugin({ greet: { title: "G", run } }), /`greet` is not made by action\(/);
    assert.throws(() => serve({ actions: {} }, NOWHERE), /the default export is no plugin/);
});
