// Reads source maps (ECMA-426), as far as the build needs them.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * The segments of a map, in the order of the generated text: there line and
 * column, and the index of the source with line and column in it. Lines count
 * from 1, columns from 0.
 */
export function segments(map) {
    const found = [];
    let [source, sourceLine, sourceColumn] = [0, 1, 0];
    for (const [at, line] of map.mappings.split(";").entries()) {
        let column = 0;
        for (const text of line.split(",").filter(Boolean)) {
            const fields = numbers(text);
            column += fields[0];
            if (fields.length < 4) continue;
            source += fields[1];
            sourceLine += fields[2];
            sourceColumn += fields[3];
            found.push({ line: at + 1, column, source, sourceLine, sourceColumn });
        }
    }
    return found;
}

/** Signed numbers in Base64 VLQ. */
function numbers(text) {
    const read = [];
    let [value, shift] = [0, 0];
    for (const digit of text) {
        const bits = DIGITS.indexOf(digit);
        value += (bits & 31) << shift;
        shift += 5;
        if (bits < 32) {
            read.push(value & 1 ? -(value >> 1) : value >> 1);
            [value, shift] = [0, 0];
        }
    }
    return read;
}
