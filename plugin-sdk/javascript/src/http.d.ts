/**
 * Calls of web services. Which hosts a plugin may call, and with which methods,
 * stands under `[[permissions.http]]` in its plugin.toml.
 */

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

type Value = string | number | boolean;

export interface Request {
    /** `GET` if absent. */
    readonly method?: Method;
    /** In full: `https://api.example.com/v1/companies`. */
    readonly url: string;
    /** Added to the address, escaped. A list is a name several times, `undefined` not at all. */
    readonly query?: { readonly [name: string]: Value | readonly Value[] | null | undefined };
    readonly headers?: { readonly [name: string]: Value | readonly Value[] | null | undefined };
    readonly body?: string | Uint8Array;
    /** A value sent as JSON, in the place of `body`. */
    readonly json?: unknown;
    /** How long to wait for the whole answer. */
    readonly timeoutMs?: number;
}

/**
 * Sends a request now and waits for the answer. A status of 400 or more is an
 * answer like another; an error is what kept one from coming.
 *
 * It leaves at once, also if the step fails afterwards and is tried again: a
 * request that changes something has a header `idempotency-key` that is the
 * same in every attempt.
 */
export function send(request: Request): Response;

/**
 * Sends a request after the step has committed, and again until it is answered
 * well. Gives the id under which the outbox shows it.
 */
export function deliver(request: Request): string;

export class Response {
    private constructor();
    readonly status: number;
    /** Whether the status is 200 to 299. */
    readonly ok: boolean;
    readonly headers: Headers;
    /** The service's `retry-after`, where that is a number of seconds. */
    readonly retryAfterMs: number | undefined;
    bytes(): Uint8Array;
    /** The body as text. One that is not UTF-8 is a permanent error. */
    text(): string;
    /** The body read from JSON. One that is none is a permanent error. */
    json<T = any>(): T;
    /**
     * The response, if its status is below 400. Otherwise it throws: `transient`
     * for 408, 425, 429 and 5xx, with the service's `retry-after`, and
     * `permanent` for the others.
     */
    throwForStatus(): this;
}

export interface Headers extends Iterable<[name: string, value: string]> {
    /** The value of a header, its name in any case. */
    get(name: string): string | undefined;
}
