// Fills in a lead's company: looks up the domain of its mail address at a web
// service, writes two fields, and counts how often it did.

import {
    RelataError,
    action,
    http,
    log,
    plugin,
    records,
    secrets,
    skip,
    state,
} from "@relata/plugin-sdk";

const SERVICE = "https://companies.example/v1/companies";

/** The key of the counter in the plugin's state. */
const LOOKED_UP = "looked_up";

const company = action({
    title: "Fill in a lead's company",
    summary:
        "Looks up the domain of the lead's mail address at companies.example, and writes the " +
        "company's name and size to the lead. A lead that has a company already, or whose " +
        "company nobody knows, is left alone.",
    input: {
        type: "object",
        properties: {
            lead: {
                type: "string",
                format: "record/lead",
                description: "The lead whose company is missing.",
            },
        },
        required: ["lead"],
    },
    output: {
        type: "object",
        properties: {
            company: { type: "string", description: "The company's name." },
            company_size: {
                type: ["integer", "null"],
                description: "How many people work there, if the service knows.",
            },
            looked_up: {
                type: "integer",
                description: "How many leads were looked up so far, with this one.",
            },
        },
        required: ["company", "company_size", "looked_up"],
    },
    reads: ["lead.email", "lead.company"],
    writes: ["lead.company", "lead.company_size"],
    // One at a time, so that the counter loses nothing.
    exclusive: "enrich/counter",

    run({ lead: reference }) {
        const lead = records.get(reference);
        if (lead.fields.company) {
            return skip(`${reference} already has a company`);
        }
        const { email } = lead.fields;
        if (!email) {
            // Every lead has one: it may not be read here.
            throw new RelataError("denied", `the mail address of ${reference} cannot be read`);
        }
        const domain = email.split("@").at(-1);
        const found = lookUp(domain);
        if (!found) {
            return skip(`no company is known at ${domain}`);
        }
        const fields = { company: found.name, company_size: found.employees ?? null };
        records.update(lead, fields);
        const { value, revision } = state.get(LOOKED_UP) ?? { value: 0, revision: 0 };
        const looked_up = value + 1;
        state.put(LOOKED_UP, looked_up, { ifRevision: revision });
        log.info("a company was filled in", { looked_up });
        return { ...fields, looked_up };
    },
});

/** The company at a domain, if the service knows one. */
function lookUp(domain) {
    const token = secrets.placeholder("companies-token");
    const response = http.send({
        url: SERVICE,
        query: { domain },
        headers: { authorization: `Bearer ${token}` },
    });
    if (response.status === 404) {
        return undefined;
    }
    const found = response.throwForStatus().json();
    if (typeof found?.name !== "string" || !Number.isInteger(found.employees ?? 0)) {
        throw new RelataError("permanent", "companies.example answered something unreadable");
    }
    return found;
}

export default plugin({ company });
