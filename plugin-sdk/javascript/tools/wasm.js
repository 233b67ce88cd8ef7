// Reading and writing the binary format of WebAssembly, as far as the tools of
// this package need it.

/** Reads numbers and names off a piece of a binary, from left to right. */
export class Reader {
    #bytes;
    #at;
    #end;

    constructor(bytes, start = 0, end = bytes.length) {
        this.#bytes = bytes;
        this.#at = start;
        this.#end = end;
    }

    get done() {
        return this.#at >= this.#end;
    }

    byte() {
        if (this.done) throw new Error("the binary ends too early");
        return this.#bytes[this.#at++];
    }

    /** An unsigned number in LEB128. */
    number() {
        let value = 0;
        for (let scale = 1; ; scale *= 128) {
            const byte = this.byte();
            value += (byte & 0x7f) * scale;
            if (byte < 0x80) return value;
            if (scale > 2 ** 28) throw new Error("a number in the binary is too large");
        }
    }

    bytes(length) {
        const start = this.#at;
        if (start + length > this.#end) throw new Error("the binary ends too early");
        this.#at += length;
        return this.#bytes.subarray(start, this.#at);
    }

    name() {
        return new TextDecoder().decode(this.bytes(this.number()));
    }

    /** A list with its length before it. */
    list(item) {
        return Array.from({ length: this.number() }, () => item(this));
    }

    /** Runs `read` and gives the bytes that it went over. */
    span(read) {
        const start = this.#at;
        read(this);
        return this.#bytes.subarray(start, this.#at);
    }

    /** The sections of a module or component: `[id, content]`. */
    *sections() {
        this.bytes(8);
        while (!this.done) {
            const id = this.byte();
            yield [id, this.bytes(this.number())];
        }
    }
}

/** The bytes of an unsigned number in LEB128. */
export function number(value) {
    const bytes = [];
    do {
        bytes.push((value % 128) | (value >= 128 ? 0x80 : 0));
        value = Math.floor(value / 128);
    } while (value > 0);
    return bytes;
}

/** The bytes of a name. */
export function name(text) {
    const bytes = new TextEncoder().encode(text);
    return [...number(bytes.length), ...bytes];
}

/** The bytes of a list of things that are bytes already. */
export function list(items) {
    return [...number(items.length), ...items.flatMap((item) => [...item])];
}

/** A section of a module or component. Its content may be large. */
export function section(id, content) {
    return Buffer.concat([
        Uint8Array.from([id, ...number(content.length)]),
        Uint8Array.from(content),
    ]);
}
