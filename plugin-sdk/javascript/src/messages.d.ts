/**
 * Words to people. The host looks up the address, checks consent, quiet hours
 * and caps, renders the template, and delivers after the step's commit.
 */

import type { Entity, Reference } from "./records.js";

/** What became of a message: it will be sent, or not, and why not. */
export type Receipt = { queued: true; id: string } | { queued: false; reason: string };

/** Mails a template to a contact, lead, user or account. */
export function sendMail(mail: {
    to: Reference | Entity<unknown>;
    template: string;
    /** What the template may name beside the recipient. */
    data?: object;
}): Receipt;

/** Tells a user something, and links the record that it is about. */
export function notify(notice: {
    to: Reference | Entity<unknown>;
    text: string;
    about?: Reference | Entity<unknown>;
}): Receipt;
