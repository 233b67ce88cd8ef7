import * as host from "relata:plugin/http@0.1.0";

import { RelataError, milliseconds } from "./error.js";
import { ask, checkKeys } from "./host.js";
import { decode, encode } from "./utf8.js";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const KEYS = ["method", "url", "query", "headers", "body", "json", "timeoutMs"];
const BUSY = [408, 425, 429];

export function send(request) {
    const asked = toHost(request);
    const answer = ask("http.send", () => host.send(asked));
    return new Response(hostOf(asked.url), answer);
}

export function deliver(request) {
    const asked = toHost(request);
    return ask("http.deliver", () => host.deliver(asked));
}

export class Response {
    #from;
    #body;

    constructor(from, { status, headers, body }) {
        this.#from = from;
        this.#body = body;
        this.status = status;
        this.ok = status >= 200 && status < 300;
        this.headers = new Headers(headers);
    }

    bytes() {
        return this.#body;
    }

    text() {
        try {
            return decode(this.#body);
        } catch (cause) {
            throw new RelataError("permanent", `${this.#from} answered no text`, { cause });
        }
    }

    json() {
        const text = this.text();
        try {
            return JSON.parse(text);
        } catch (cause) {
            // Not what it says: that may be a customer's.
            throw new RelataError("permanent", `${this.#from} answered something unreadable`, {
                cause,
            });
        }
    }

    get retryAfterMs() {
        const asked = this.headers.get("retry-after")?.trim() ?? "";
        return /^\d+$/.test(asked) ? Number(asked) * 1000 : undefined;
    }

    throwForStatus() {
        if (this.status < 400) return this;
        const message = `${this.#from} answered ${this.status}`;
        if (BUSY.includes(this.status) || this.status >= 500) {
            throw new RelataError("transient", message, { retryAfterMs: this.retryAfterMs });
        }
        throw new RelataError("permanent", message);
    }
}

/** Header lines, found by a name in any case. */
class Headers {
    #lines;

    constructor(lines) {
        this.#lines = lines.map(({ name, value }) => [name.toLowerCase(), value]);
    }

    get(name) {
        const wanted = name.toLowerCase();
        const values = this.#lines.filter(([known]) => known === wanted).map(([, value]) => value);
        return values.length === 0 ? undefined : values.join(", ");
    }

    [Symbol.iterator]() {
        return this.#lines[Symbol.iterator]();
    }
}

function toHost(request) {
    checkKeys(request, KEYS, "a request");
    const { method = "GET", url, query = {}, headers = {}, body, json, timeoutMs } = request;
    if (!METHODS.includes(method)) {
        throw new TypeError(`a request has no method ${method}; there are ${METHODS.join(", ")}`);
    }
    if (body !== undefined && json !== undefined) {
        throw new TypeError("a request has a body or json, not both");
    }
    const lines = pairs(headers).map(([name, value]) => ({ name, value }));
    const typed = lines.some(({ name }) => name.toLowerCase() === "content-type");
    if (json !== undefined && !typed) {
        lines.push({ name: "content-type", value: "application/json" });
    }
    return {
        method: method.toLowerCase(),
        url: withQuery(url, pairs(query)),
        headers: lines,
        body: json === undefined ? bytesOf(body) : encode(JSON.stringify(json)),
        timeoutMs: timeoutMs === undefined ? null : milliseconds(timeoutMs, "timeoutMs"),
    };
}

function bytesOf(body) {
    if (body === undefined) return new Uint8Array();
    return typeof body === "string" ? encode(body) : body;
}

/** Names and values. A list is a name several times, nothing is no name at all. */
function pairs(values) {
    return Object.entries(values).flatMap(([name, value]) =>
        [value ?? []].flat().map((one) => [name, String(one)]),
    );
}

function withQuery(url, parameters) {
    if (parameters.length === 0) return url;
    const text = parameters.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
    return `${url}${url.includes("?") ? "&" : "?"}${text}`;
}

/** Of an address what cannot be a customer's. */
function hostOf(url) {
    return /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? url;
}
