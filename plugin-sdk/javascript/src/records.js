import * as host from "relata:plugin/records@0.1.0";

import { ask, checkKeys, objectText } from "./host.js";
import { referenceOf } from "./reference.js";

/** The most that the contract gives at once. */
const PAGE = 1000;

const OPERATORS = {
    equal: "equal",
    notEqual: "not-equal",
    less: "less",
    atMost: "less-or-equal",
    greater: "greater",
    atLeast: "greater-or-equal",
    oneOf: "one-of",
    contains: "contains",
};

export function get(reference) {
    return entity(ask("records.get", () => host.get(referenceOf(reference))));
}

export function query(object, options = {}) {
    checkKeys(options, ["where", "fields", "limit"], "a query");
    const { where = {}, fields = [], limit = Infinity } = options;
    const filter = conditions(where);
    const found = [];
    let cursor = null;
    while (found.length < limit) {
        const size = Math.min(PAGE, limit - found.length);
        const page = ask("records.query", () => host.query(object, filter, fields, size, cursor));
        found.push(...page.entities.map(entity));
        if (page.cursor === null) break;
        cursor = page.cursor;
    }
    return found;
}

export function first(object, options = {}) {
    return query(object, { ...options, limit: 1 })[0];
}

export function count(object, where = {}) {
    const filter = conditions(where);
    return ask("records.count", () => host.count(object, filter));
}

export function countBy(object, field, where = {}) {
    const filter = conditions(where);
    const tallies = ask("records.count-by", () => host.countBy(object, filter, field));
    return tallies.map(({ value, count }) => ({ value: JSON.parse(value), count }));
}

export function isOpen(calendar, at) {
    return ask("records.is-open", () => host.isOpen(referenceOf(calendar), at.getTime()));
}

export function create(object, fields) {
    const text = objectText(fields, "the fields of a new record");
    return entity(ask("records.create", () => host.create(object, text)));
}

export function update(reference, fields, options = {}) {
    checkKeys(options, ["ifRevision"], "what records.update takes");
    const text = objectText(fields, "the fields to set");
    const revision = options.ifRevision ?? null;
    return entity(ask("records.update", () => host.update(referenceOf(reference), text, revision)));
}

function remove(reference, options = {}) {
    checkKeys(options, ["ifRevision"], "what records.delete takes");
    const revision = options.ifRevision ?? null;
    ask("records.delete", () => host.delete(referenceOf(reference), revision));
}

// The name that it has in the contract cannot be that of a function.
export { remove as delete };

function entity({ object, id, revision, fields }) {
    return { reference: `${object}/${id}`, object, id, revision, fields: JSON.parse(fields) };
}

/** The contract's conditions for `{ owner: "user/eva", score: { atLeast: 10 } }`. */
export function conditions(where) {
    return Object.entries(where).flatMap(([field, wanted]) => {
        if (wanted === null || wanted === undefined) {
            return [{ field, operator: "is-empty", value: "null" }];
        }
        if (typeof wanted !== "object") {
            return [{ field, operator: "equal", value: JSON.stringify(wanted) }];
        }
        checkKeys(wanted, [...Object.keys(OPERATORS), "empty"], `the condition on ${field}`);
        return Object.entries(wanted).map(([operator, value]) =>
            operator === "empty"
                ? { field, operator: value ? "is-empty" : "is-not-empty", value: "null" }
                : { field, operator: OPERATORS[operator], value: JSON.stringify(value) },
        );
    });
}
