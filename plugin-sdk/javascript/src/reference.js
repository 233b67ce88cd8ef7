/** The reference of a record, which may be given itself. */
export function referenceOf(record) {
    return typeof record === "string" ? record : record.reference;
}
