import * as host from "relata:plugin/messages@0.1.0";

import { ask, checkKeys, objectText } from "./host.js";
import { referenceOf } from "./reference.js";

export function sendMail(mail) {
    checkKeys(mail, ["to", "template", "data"], "a mail");
    const { to, template, data = {} } = mail;
    const text = objectText(data, "the data of a mail");
    return receipt(
        ask("messages.sendMail", () =>
            host.sendMail({ to: referenceOf(to), template, data: text }),
        ),
    );
}

export function notify(notice) {
    checkKeys(notice, ["to", "text", "about"], "a notice");
    const { to, text, about } = notice;
    return receipt(
        ask("messages.notify", () =>
            host.notify({
                to: referenceOf(to),
                text,
                about: about === undefined ? null : referenceOf(about),
            }),
        ),
    );
}

function receipt({ tag, val }) {
    return tag === "queued" ? { queued: true, id: val } : { queued: false, reason: val };
}
