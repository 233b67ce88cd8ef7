// `Math.random` and `crypto` draw from the host. The engine's own generator is
// seeded when the plugin is built, and would repeat itself in every call.

import * as host from "relata:plugin/env@0.1.0";

import { ask } from "../host.js";

/** The most that the contract gives at once. */
const AT_ONCE = 1024;

let generator;

Math.random = () => {
    generator ??= seeded(bytes(16));
    // 53 bits, as many as a number holds exactly.
    return ((generator() >>> 5) * 2 ** 26 + (generator() >>> 6)) / 2 ** 53;
};

/** The generator sfc32 (Doty-Humphrey, PractRand). A host call a number would be slow. */
function seeded(seed) {
    let [a, b, c, counter] = new Uint32Array(seed.buffer);
    function next() {
        const drawn = (a + b + counter) | 0;
        counter = (counter + 1) | 0;
        a = b ^ (b >>> 9);
        b = (c + (c << 3)) | 0;
        c = (((c << 21) | (c >>> 11)) + drawn) | 0;
        return drawn;
    }
    // The first ones are still like the seed.
    for (let turn = 0; turn < 12; turn++) next();
    return next;
}

function bytes(length) {
    const filled = new Uint8Array(length);
    for (let at = 0; at < length; at += AT_ONCE) {
        filled.set(
            ask("chance", () => host.random(Math.min(AT_ONCE, length - at))),
            at,
        );
    }
    return filled;
}

globalThis.crypto = {
    getRandomValues(array) {
        const view = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
        view.set(bytes(view.length));
        return array;
    },

    randomUUID() {
        const drawn = bytes(16);
        // Version 4 and the variant of RFC 9562.
        drawn[6] = (drawn[6] & 0x0f) | 0x40;
        drawn[8] = (drawn[8] & 0x3f) | 0x80;
        const hex = Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
        return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
};
