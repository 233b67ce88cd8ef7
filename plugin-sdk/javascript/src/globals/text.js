// `TextEncoder` and `TextDecoder`, for UTF-8.

import { binary, decodeBinary, encode } from "../utf8.js";

/**
 * A piece of UTF-8 in characters of one byte each: whole sequences, and in the
 * group what becomes one U+FFFD, the longest beginning of a sequence.
 */
const PIECE = new RegExp(
    [
        "[\\x00-\\x7f]+",
        "[\\xc2-\\xdf][\\x80-\\xbf]",
        "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
        "\\xed[\\x80-\\x9f][\\x80-\\xbf]",
        "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
        "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
        "[\\xf1-\\xf3][\\x80-\\xbf]{3}",
        "\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
        "(\\xe0[\\xa0-\\xbf]" +
            "|\\xed[\\x80-\\x9f]" +
            "|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]" +
            "|\\xf0[\\x90-\\xbf][\\x80-\\xbf]?" +
            "|[\\xf1-\\xf3][\\x80-\\xbf]{1,2}" +
            "|\\xf4[\\x80-\\x8f][\\x80-\\xbf]?" +
            "|[^])",
    ].join("|"),
    "g",
);
const REPLACEMENT = "\xef\xbf\xbd";

globalThis.TextEncoder = class TextEncoder {
    encoding = "utf-8";

    encode(text = "") {
        return encode(String(text));
    }
};

globalThis.TextDecoder = class TextDecoder {
    encoding = "utf-8";

    constructor(label = "utf-8", { fatal = false } = {}) {
        if (!/^utf-?8$/i.test(label)) {
            throw new RangeError(`TextDecoder knows no encoding but utf-8, and not ${label}`);
        }
        this.fatal = fatal;
    }

    decode(bytes = new Uint8Array(), { stream = false } = {}) {
        if (stream) throw new TypeError("TextDecoder decodes a whole text, not a stream");
        const view = ArrayBuffer.isView(bytes)
            ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
            : new Uint8Array(bytes);
        const characters = binary(view);
        try {
            return decodeBinary(characters);
        } catch {
            if (this.fatal) throw new TypeError("the bytes are not UTF-8");
            const mended = characters.replace(PIECE, (piece, broken) =>
                broken === undefined ? piece : REPLACEMENT,
            );
            return decodeBinary(mended);
        }
    }
};
