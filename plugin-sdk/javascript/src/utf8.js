// Between texts and bytes. The engine has no TextEncoder. What it has runs in
// native code, some twenty times faster than a loop over the characters:
// `unescape` and `escape` turn the %XX of UTF-8 into characters of one byte
// each and back, and Base64 is the way between those and an array.

/** The bytes of a text. A half of a surrogate pair becomes U+FFFD. */
export function encode(text) {
    const bytes = unescape(encodeURIComponent(text.toWellFormed()));
    return Uint8Array.fromBase64(btoa(bytes));
}

/** The text in some bytes, without a byte order mark. Throws where they are not UTF-8. */
export function decode(bytes) {
    return decodeBinary(binary(bytes));
}

/** Bytes as characters of one byte each. */
export function binary(bytes) {
    return atob(bytes.toBase64());
}

export function decodeBinary(characters) {
    const text = decodeURIComponent(escape(characters));
    return text.startsWith("\ufeff") ? text.slice(1) : text;
}
