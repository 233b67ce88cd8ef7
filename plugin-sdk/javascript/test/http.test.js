import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { begin } from "../src/host.js";
import { http } from "../src/index.js";

let sent;

function answer(status, body = "", headers = []) {
    host.http = {
        send(request) {
            sent = request;
            return {
                status,
                headers: headers.map(([name, value]) => ({ name, value })),
                body: typeof body === "string" ? new TextEncoder().encode(body) : body,
            };
        },
    };
    return http.send({ url: "https://api.example.com/v1/people?name=anna" });
}

beforeEach(begin);

test("a request is what the contract takes", () => {
    answer(200);
    http.send({
        method: "POST",
        url: "https://a.example/x?y=1",
        query: { q: "a b&c", tag: ["ä", 2], none: undefined },
        headers: { accept: ["text/plain", "text/html"], "x-empty": null },
        json: { name: "Ümit" },
        timeoutMs: 500,
    });
    assert.deepEqual(sent, {
        method: "post",
        url: "https://a.example/x?y=1&q=a%20b%26c&tag=%C3%A4&tag=2",
        headers: [
            { name: "accept", value: "text/plain" },
            { name: "accept", value: "text/html" },
            { name: "content-type", value: "application/json" },
        ],
        body: new TextEncoder().encode('{"name":"Ümit"}'),
        timeoutMs: 500,
    });
});

test("a request that says nothing else is an empty GET", () => {
    answer(200);
    assert.deepEqual(
        [sent.method, sent.headers, sent.body.length, sent.timeoutMs],
        ["get", [], 0, null],
    );
});

test("a content type of the author's own stays", () => {
    answer(200);
    const headers = { "Content-Type": "application/vnd.api+json" };
    http.send({ method: "PUT", url: "https://a.example", headers, json: 1 });
    assert.deepEqual(sent.headers, [{ name: "Content-Type", value: "application/vnd.api+json" }]);
});

test("a slip in a request is told", () => {
    assert.throws(() => http.send({ uri: "https://a.example" }), /a request has no `uri`/);
    assert.throws(() => http.send({ method: "get", url: "" }), /no method get; there are GET,/);
    assert.throws(() => http.send({ url: "", body: "", json: 1 }), /a body or json, not both/);
});

test("an answer is read", () => {
    const response = answer(200, '\ufeff{"name":"Ümit"}', [
        ["X-Tag", "a"],
        ["x-tag", "b"],
    ]);
    assert.equal(response.ok, true);
    assert.deepEqual(response.json(), { name: "Ümit" });
    assert.equal(response.headers.get("x-TAG"), "a, b");
    assert.equal(response.headers.get("etag"), undefined);
    assert.deepEqual(
        [...response.headers],
        [
            ["x-tag", "a"],
            ["x-tag", "b"],
        ],
    );
});

test("an unreadable body is not repeated", () => {
    assert.throws(() => answer(200, "<html>Anna").json(), {
        code: "permanent",
        message: "api.example.com answered something unreadable",
    });
    assert.throws(() => answer(200, new Uint8Array([0xc3, 0x28])).text(), {
        code: "permanent",
        message: "api.example.com answered no text",
    });
});

test("a status becomes an error of its kind", () => {
    assert.equal(answer(304).throwForStatus().status, 304);
    assert.throws(() => answer(410, "", [["retry-after", "9"]]).throwForStatus(), {
        code: "permanent",
        message: "api.example.com answered 410",
        retryAfterMs: undefined,
    });
    assert.throws(() => answer(429, "", [["retry-after", "30"]]).throwForStatus(), {
        code: "transient",
        retryAfterMs: 30_000,
    });
    const date = "Mon, 14 Dec 2026 10:00:00 GMT";
    assert.throws(() => answer(503, "", [["retry-after", date]]).throwForStatus(), {
        code: "transient",
        retryAfterMs: undefined,
    });
});
