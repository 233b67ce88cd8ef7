// Compiled, never run: each `@ts-expect-error` is a mistake that must be found.

import {
    action,
    http,
    messages,
    plugin,
    records,
    retry,
    skip,
    state,
    RelataError,
    type FromSchema,
} from "@relata/plugin-sdk";

type Equal<A, B> =
    (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._: Equal<A, B> extends true ? [] : [never]): void {}

const schema = {
    type: "object",
    properties: {
        lead: { type: "string", format: "record/lead" },
        size: { type: ["integer", "null"] },
        tone: { enum: ["plain", "warm"] },
        tags: { type: "array", items: { type: "string" } },
        address: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        set: { type: "object", "x-fields-of": "lead" },
        either: { anyOf: [{ type: "number" }, { const: "none" }] },
    },
    required: ["lead", "size"],
} as const;

same<
    FromSchema<typeof schema>,
    {
        lead: string;
        size: number | null;
        tone?: "plain" | "warm";
        tags?: string[];
        address?: { city: string };
        set?: { [name: string]: unknown };
        either?: number | "none";
    }
>();

const greet = action({
    title: "Greet",
    input: {
        type: "object",
        properties: { lead: { type: "string" }, times: { type: "integer" } },
        required: ["lead"],
    },
    output: { type: "object", properties: { sent: { type: "boolean" } }, required: ["sent"] },
    run({ lead, times }, context) {
        same<typeof lead, string>();
        same<typeof times, number | undefined>();
        if (context.attempt > 3) return skip("enough");
        if (context.dryRun) return retry(60_000, "later");
        return { sent: lead.length > 0 };
    },
});

action({
    title: "Wrong input",
    input: { type: "object", properties: { lead: { type: "string" } } },
    // @ts-expect-error: there is no such input
    run: ({ led }) => ({ led }),
});

action({
    title: "Wrong output",
    output: { type: "object", properties: { sent: { type: "boolean" } }, required: ["sent"] },
    // @ts-expect-error: a text is no boolean
    run: () => ({ sent: "yes" }),
});

action({
    title: "Missing output",
    output: { type: "object", properties: { sent: { type: "boolean" } }, required: ["sent"] },
    // @ts-expect-error: `sent` is required
    run: () => ({}),
});

action({
    title: "Async",
    output: { type: "object", properties: { sent: { type: "boolean" } }, required: ["sent"] },
    // @ts-expect-error: a call is not async
    run: async () => ({ sent: true }),
});

// @ts-expect-error: misspelt
action({ title: "Misspelt", exlusive: "key", run: () => ({}) });

action({
    title: "No such type",
    // @ts-expect-error
    input: { type: "object", properties: { a: { type: "text" } } },
    run: () => ({}),
});

action({ title: "Nothing in, anything out", run: () => ({ any: 1 }) });

// @ts-expect-error: an action is made by action()
plugin({ greet: () => ({}) });

// @ts-expect-error: no such code
new RelataError("notFound", "x");

function calls() {
    const lead = records.get<{ email: string | null }>("lead/1");
    same<typeof lead.fields.email, string | null>();
    records.update(lead, { email: null }, { ifRevision: lead.revision });
    records.query("lead", {
        where: { owner: null, score: { atLeast: 3 } },
        fields: ["email"],
        limit: 5,
    });
    // @ts-expect-error: no such operator
    records.query("lead", { where: { score: { min: 3 } } });
    records.delete(lead);

    const stored = state.get<number>("n");
    same<typeof stored, { value: number; revision: number } | undefined>();

    const receipt = messages.sendMail({ to: lead, template: "welcome" });
    // @ts-expect-error: only a queued one has an id
    receipt.id;

    // @ts-expect-error: methods are in capitals
    http.send({ url: "https://a.example", method: "get" });
    const city: string = http
        .send({ url: "https://a.example" })
        .throwForStatus()
        .json<{ city: string }>().city;

    console.log(city, crypto.randomUUID(), new TextEncoder().encode(city).length);
    // @ts-expect-error: there are no timers
    setTimeout(calls, 1);
}

export default plugin({ greet });
export { calls };
