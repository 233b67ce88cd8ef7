// The editor of a workflow's text: it takes the place of the text field, which
// does everything without a script as well. What is wrong, what can stand at a
// place and what stands there, the host says, as it does to `relata lsp`; here
// is only how it is shown.
//
// It stands in a shadow root: there its styles are sheets of the document's own
// making, which the page's policy allows, and no <style> elements.

import { autocompletion, completionKeymap, insertCompletionText } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, linter } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  hoverTooltip,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

// So long after the last letter the host is asked what is wrong.
const PAUSE_MS = 400;

// Behind one of these it is worth while to ask what may follow.
const BEGINS = /[\w.="'/| -]$/;

const COLOURS = HighlightStyle.define([
  { tag: tags.definition(tags.propertyName), color: "var(--accent)" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.lineComment, color: "var(--dim)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.typeName, tags.labelName, tags.meta], color: "var(--warn)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--dim)" },
]);

const LOOK = EditorView.theme({
  "&": {
    background: "var(--paper)",
    color: "var(--ink)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--radius)",
    fontSize: "12.5px",
    minHeight: "440px",
    maxHeight: "76vh",
  },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", minHeight: "438px" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { background: "var(--ground)", color: "var(--dim)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { background: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "var(--chosen)",
  },
  "&.cm-focused .cm-matchingBracket": { background: "var(--chosen)", outline: "1px solid var(--line-strong)" },
  ".cm-tooltip": {
    background: "var(--raised)",
    color: "var(--ink)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--radius)",
    boxShadow: "0 8px 24px rgb(0 0 0 / 18%)",
    maxWidth: "min(460px, 90vw)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    background: "var(--accent-fill)",
    color: "var(--on-accent)",
  },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionDetail": { color: "var(--dim)", fontStyle: "normal" },
  ".cm-completionInfo, .about": { padding: "6px 10px", whiteSpace: "pre-wrap", fontSize: "12.5px" },
  ".cm-diagnostic": { padding: "4px 10px", whiteSpace: "pre-wrap" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--warn)" },
  ".cm-diagnosticAction": { background: "var(--accent-fill)", color: "var(--on-accent)", cursor: "pointer" },
  ".cm-lintRange-error": { background: "none", textDecoration: "underline wavy var(--bad) 1px" },
  ".cm-lintRange-warning": { background: "none", textDecoration: "underline wavy var(--warn) 1px" },
  ".cm-panels": { background: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel.cm-panel-lint ul [aria-selected]": { background: "var(--chosen)", color: "var(--ink)" },
});

// Markdown of one paragraph or several, of which only the code is set off.
function prose(text) {
  const about = document.createElement("div");
  about.className = "about";
  for (const [number, piece] of text.split("`").entries()) {
    const node = document.createElement(number % 2 === 1 ? "code" : "span");
    node.textContent = piece;
    about.append(node);
  }
  return about;
}

function start(field) {
  const { form } = field;
  const token = form.elements.namedItem("form_token").value;
  const { address } = field.dataset;
  const words = JSON.parse(field.dataset.words);

  // What the host says of the text as it is; nothing where it does not answer.
  async function ask(about, source, more = {}) {
    const body = new URLSearchParams({ form_token: token, source, ...more });
    try {
      const answer = await fetch(`${address}/${about}`, { method: "POST", body });
      const isJson = (answer.headers.get("content-type") ?? "").startsWith("application/json");
      return answer.ok && isJson ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  async function findings(view) {
    const { doc } = view.state;
    const told = await ask("check", doc.toString());
    // What was typed meanwhile is asked about anew.
    if (told === null || view.state.doc !== doc) return [];
    document.getElementById("findings").innerHTML = told.findings;
    document.getElementById("found").textContent = told.found;
    // A text that does not read has no picture: the last one stays.
    if (told.picture !== null) document.getElementById("picture").innerHTML = told.picture;
    return told.diagnostics.map(({ from, to, severity, message, code, fix }) => ({
      from,
      to,
      severity,
      message,
      source: code,
      actions: fix === null ? [] : [{
        name: fix.title,
        apply(view, at) {
          const changes = { from: at + fix.from - from, to: at + fix.to - from, insert: fix.text };
          view.dispatch({ changes, userEvent: "input.fix" });
        },
      }],
    }));
  }

  async function completions(context) {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    if (!context.explicit && !BEGINS.test(before)) return null;
    const told = await ask("complete", context.state.doc.toString(), { offset: context.pos });
    if (told === null || context.aborted || told.items.length === 0) return null;
    const { from, to } = told.items[0];
    const options = told.items
      .filter((item) => item.from === from && item.to === to)
      .map((item, number) => ({
        label: item.label,
        detail: item.detail,
        info: item.documentation === "" ? undefined : () => prose(item.documentation),
        // In the order in which they are offered.
        boost: -Math.min(number, 99),
        apply: (view, _, start, end) =>
          view.dispatch(insertCompletionText(view.state, item.insert, start, end)),
      }));
    return { from, to: Math.max(to, context.pos), options, validFor: /^[\w-]*$/ };
  }

  async function about(view, place) {
    const told = await ask("hover", view.state.doc.toString(), { offset: place });
    if (told === null || told.text === null) return null;
    return { pos: told.from, end: told.to, create: () => ({ dom: prose(told.text) }) };
  }

  const host = document.createElement("div");
  host.className = "editor";
  const root = host.attachShadow({ mode: "open" });
  field.after(host);
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: field.value,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightSpecialChars(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        drawSelection(),
        history(),
        bracketMatching(),
        indentUnit.of("  "),
        yaml(),
        syntaxHighlighting(COLOURS),
        linter(findings, { delay: PAUSE_MS }),
        autocompletion({ override: [completions], icons: false }),
        hoverTooltip(about),
        // Escape and then Tab leaves it; Tab alone moves the line in.
        keymap.of([...completionKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorState.phrases.of(words.phrases),
        // What can be written in can be reached; said for those who only look for this.
        EditorView.contentAttributes.of({
          "aria-label": `${words.label}. ${words.leave}`,
          tabindex: "0",
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) field.value = update.state.doc.toString();
        }),
        LOOK,
      ],
    }),
  });
  field.hidden = true;
  field.closest("label").addEventListener("click", (event) => {
    if (!event.composedPath().includes(host)) view.focus();
  });
  document.getElementById("leave").hidden = false;
}

for (const field of document.querySelectorAll("textarea[data-address]")) start(field);
