// A plugin with one action: it takes needless spaces out of a lead's name.

import { action, log, plugin, records, skip } from "@relata/plugin-sdk";

/** A text with one space between words, and none around them. */
function tidy(text) {
    return text.trim().replace(/\s+/g, " ");
}

// A workflow names it: `do: __NAME__.tidy_name`.
const tidy_name = action({
    title: "Tidy up a lead's name",
    summary: "Takes needless spaces out of a lead's name.",

    // JSON Schemas. The host checks the input before the call and the output
    // after it, and `relata check` checks the workflows that use the action.
    // `format` says that the text names a lead, and not just anything.
    input: {
        type: "object",
        properties: {
            lead: { type: "string", format: "record/lead", description: "Whose name." },
        },
        required: ["lead"],
    },
    output: {
        type: "object",
        properties: {
            name: { type: "string", description: "The name as it is now." },
        },
        required: ["name"],
    },
    reads: ["lead.name"],
    writes: ["lead.name"],

    // What the host gives is there at once: there is nothing to await. Where it
    // refuses, it throws a RelataError, and all that the action wrote is undone.
    run({ lead }) {
        const { fields } = records.get(lead);
        const name = tidy(fields.name);
        if (name === fields.name) {
            return skip(`the name of ${lead} is tidy`);
        }
        records.update(lead, { name });
        // The log is no place for what customers are called.
        log.info("tidied the name of a lead");
        return { name };
    },
});

export default plugin({ tidy_name });
