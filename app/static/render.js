// Answers to elements. Whatever comes from the server or the user is set as text, never as markup.

import { TAGS } from "./tasks.js";

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function showAnswer(reply) {
  return [mainPart(reply), ...reply.notes.map(note), details(reply)];
}

export function showError(error) {
  const words = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return [
    element("div", { class: "error", role: "alert" },
      element("p", {}, /[.!?]$/.test(words) ? words : `${words}.`),
      element("p", { class: "muted" }, error.code)),
  ];
}

export function showBusy() {
  return [element("p", { class: "busy" }, "Working…")];
}

export function showNothing() {
  return [element("p", { class: "empty" }, "Nothing asked yet. Choose an input, or try a sample.")];
}

function mainPart(reply) {
  if ("caption" in reply) return captionPart(reply);
  if ("sentences" in reply) return taggingPart(reply);
  const key = "answer" in reply ? "answer" : "activity";
  return candidatesPart(reply[key], reply.candidates.map((c) => [c[key], c.probability]));
}

function captionPart(reply) {
  const pieces = reply.tokens.filter((token) => token.text.trim()).map((token) =>
    element("li", {},
      element("span", {}, token.text.trim()),
      bar(token.probability),
      element("small", {}, percent(token.probability))));
  return element("div", {},
    element("p", { class: "headline" }, reply.caption || "(no words)"),
    element("h3", {}, "How sure it was of each piece"),
    element("ol", { class: "pieces" }, ...pieces),
    element("p", { class: "muted" }, `Log-probability of the whole: ${reply.log_probability.toFixed(2)}`));
}

function candidatesPart(best, candidates) {
  const rows = candidates.map(([label, probability]) =>
    element("li", {},
      element("span", {}, readable(label)),
      bar(probability),
      element("small", {}, percent(probability))));
  return element("div", {},
    element("p", { class: "headline" }, readable(best)),
    element("h3", {}, "Most likely"),
    element("ol", { class: "candidates" }, ...rows));
}

function taggingPart(reply) {
  const seen = new Map();
  const sentences = reply.sentences.map((sentence) =>
    element("p", { class: "tagged" }, ...sentence.tokens.map((token) => {
      const [family, meaning] = TAGS[token.tag] ?? ["other", "punctuation or symbol"];
      seen.set(token.tag, [family, meaning]);
      return element("span", { class: `word ${family}`, title: `${meaning}, ${percent(token.probability)}` },
        element("span", {}, token.text), element("small", {}, token.tag));
    })));
  const legend = [...seen].map(([tag, [family, meaning]]) =>
    element("li", {}, element("span", { class: `tag ${family}` }, tag), ` ${meaning}`));
  return element("div", {}, ...sentences,
    element("h3", {}, "What the tags mean"), element("ul", { class: "legend" }, ...legend));
}

function note(text) {
  return element("p", { class: "note" }, `Note: ${text}`);
}

function details(reply) {
  const { total, ...stages } = reply.timings_ms;
  const spent = element("div", { class: "stages", "aria-hidden": "true" });
  const list = element("dl", { class: "timings" });
  for (const [name, value] of Object.entries(stages)) {
    const part = element("i", { class: name });
    part.style.flexGrow = String(value);
    spent.append(part);
    list.append(element("div", { class: name },
      element("dt", {}, name.replace("_", " ")), element("dd", {}, milliseconds(value))));
  }
  return element("div", {},
    element("h3", {}, `Time: ${milliseconds(total)}`), spent, list,
    element("details", {}, element("summary", {}, "The whole answer as JSON"),
      element("pre", { tabindex: "0" }, element("code", {}, JSON.stringify(reply, null, 2)))));
}

function bar(probability) {
  const fill = element("i");
  fill.style.width = `${100 * probability}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}

const readable = (label) => label.replaceAll("_", " ");
const percent = (p) => `${p >= 0.1 || p === 0 ? Math.round(100 * p) : (100 * p).toFixed(1)}%`;
const milliseconds = (ms) => `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
