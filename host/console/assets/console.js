// What a script adds to the pages, which are links and forms without it: they
// are read again when something on them has changed (`#live`, host/console/src/live.rs),
// and what somebody is at stays as it is.
"use strict";

(() => {
  // Whether something was written or chosen in a field since the page came.
  const begun = (field) => {
    if (field.options) {
      const given = [...field.options].filter((option) => option.defaultSelected);
      const usual = given.length || field.multiple ? given : [field.options[0]];
      return [...field.options].some((option) => option.selected !== usual.includes(option));
    }
    switch (field.type) {
      case "checkbox":
      case "radio":
        return field.checked !== field.defaultChecked;
      case "hidden":
      case "submit":
      case "button":
        return false;
      default:
        return "defaultValue" in field && field.value !== field.defaultValue;
    }
  };

  const isField = (element) => element !== null && element.matches("input, select, textarea");

  // Whether somebody is at a form: a field of it has the focus, or is begun, or
  // it came back with what was written, since that could not be sent.
  const inUse = (form) =>
    form.hasAttribute("data-kept") ||
    (isField(document.activeElement) && form.contains(document.activeElement)) ||
    [...form.elements].some(begun);

  const holdsOneInUse = (node) =>
    node instanceof Element &&
    [node, ...node.querySelectorAll("form")].some((one) => one.matches("form") && inUse(one));

  // Whether the page is being read again by itself, and not because of a form
  // or a link.
  let byItself = false;

  const isLive = (element) => element.id === "live";

  // Where the field that somebody writes in stood on the screen.
  let place = null;

  document.addEventListener("htmx:beforeSwap", (event) => {
    byItself = isLive(event.detail.requestConfig.elt);
    if (!byItself) return;
    // An answer that tells of a failure is no page; one that was asked for by
    // a page that is gone comes too late.
    if (event.detail.xhr.status !== 200 || !document.contains(event.detail.requestConfig.elt)) {
      event.detail.shouldSwap = false;
    }
    const field = document.activeElement;
    place = isField(field) ? { field, top: field.getBoundingClientRect().top } : null;
  });

  document.addEventListener("htmx:afterOnLoad", () => {
    if (place === null || !document.contains(place.field)) return;
    const moved = place.field.getBoundingClientRect().top - place.top;
    let pane = place.field.parentElement;
    while (pane.parentElement && pane.scrollHeight <= pane.clientHeight) pane = pane.parentElement;
    if (moved !== 0) pane.scrollTop += moved;
    place = null;
  });

  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (old) => !(byItself && old instanceof HTMLFormElement && inUse(old)),
    // Why something could not be sent stays until it is sent again.
    beforeNodeRemoved: (old) =>
      !(byItself && (holdsOneInUse(old) || (old instanceof Element && old.matches("[role=alert]")))),
    // What somebody has opened stays open.
    beforeAttributeUpdated: (name, node) =>
      !(byItself && name === "open" && node instanceof HTMLDetailsElement),
  });

  // One stream a page. It goes on after the last event that came, also where
  // the host was away; and a page that nobody sees follows nothing, since a
  // browser has few connections to a host.
  let stream = null;
  let address = "";
  let last = "";

  htmx.createEventSource = (wanted) => {
    stream?.close();
    if (wanted !== address) last = "";
    address = wanted;
    const from = new URL(wanted, location.href);
    if (last) from.searchParams.set("since", last);
    stream = new EventSource(from);
    stream.addEventListener("changed", (event) => {
      last = event.lastEventId;
    });
    if (document.hidden) stream.close();
    return stream;
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
      return;
    }
    const live = document.getElementById("live");
    if (live === null) return;
    // Another attribute has it begun anew.
    live.setAttribute("data-seen", String(Date.now()));
    htmx.process(live);
  });
})();
