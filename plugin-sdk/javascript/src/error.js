const CODES = [
    "denied",
    "invalid",
    "not-found",
    "conflict",
    "limit",
    "transient",
    "permanent",
    "cancelled",
];

/** The most that the contract's u32 holds: 49 days. */
const MAX_MS = 2 ** 32 - 1;

export class RelataError extends Error {
    name = "RelataError";

    constructor(code, message, { retryAfterMs, details, cause } = {}) {
        if (!CODES.includes(code)) {
            throw new TypeError(`an error has no code \`${code}\`; there are ${CODES.join(", ")}`);
        }
        super(message, cause === undefined ? undefined : { cause });
        this.code = code;
        this.retryAfterMs = retryAfterMs;
        this.details = details;
    }
}

/** The error of a call to the host, from what the contract says of it. */
export function fromHost({ code, message, retryAfterMs, details }) {
    return new RelataError(code, message, {
        retryAfterMs: retryAfterMs ?? undefined,
        details: details === null ? undefined : JSON.parse(details),
    });
}

/** What the contract says of an error. */
export function toHost({ code, message, retryAfterMs, details }) {
    return {
        code,
        message,
        retryAfterMs:
            retryAfterMs === undefined ? null : milliseconds(retryAfterMs, "retryAfterMs"),
        details: details === undefined ? null : JSON.stringify(details),
    };
}

/** A time to wait as the contract takes it: whole, and never shorter than asked. */
export function milliseconds(value, what) {
    if (typeof value !== "number" || !(value >= 0)) {
        throw new TypeError(`${what} is a number of milliseconds, not ${String(value)}`);
    }
    return Math.min(Math.ceil(value), MAX_MS);
}
