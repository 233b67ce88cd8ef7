// From a place in the bundle to one in the author's source.

/** A frame of a stack ends with `:line:column)`, or without the parenthesis. */
const FRAME = /:(\d+):(\d+)\)?$/gm;

/**
 * The innermost place of a stack that is in the author's source, such as
 * `src/plugin.js:14:9`. `places` is the JSON that the build made: the author's
 * files, and segments of five numbers in the order of the bundle (line and
 * column there, file, line and column here; lines from 1, all else from 0).
 */
export function innermost(stack, places) {
    const { files, segments } = JSON.parse(places);
    for (const [, line, column] of String(stack).matchAll(FRAME)) {
        const at = segmentAt(segments, Number(line), Number(column) - 1);
        if (at === undefined) continue;
        return `${files[segments[at + 2]]}:${segments[at + 3]}:${segments[at + 4] + 1}`;
    }
    return undefined;
}

/** The last segment that begins at this column or before, on the same line. */
function segmentAt(segments, line, column) {
    let found;
    for (let at = 0; at < segments.length; at += 5) {
        if (segments[at] > line) break;
        if (segments[at] === line && segments[at + 1] <= column) found = at;
    }
    return found;
}
