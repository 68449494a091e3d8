// Answers to elements. Whatever comes from the server or the user is set as text, never as markup.

import { filmStrip, overPicture, wordsRead } from "./attention.js";
import { TAGS } from "./tasks.js";

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// With a preview, what the model looked at can be pointed at.
export function showAnswer(reply, preview, url) {
  const looked = reply.explanation ? lookedAt(reply, preview, url) : { parts: [], show: () => {} };
  return [looked.beside ?? "", mainPart(reply, looked.show), ...looked.parts, ...reply.notes.map(note), details(reply)];
}

// A caption as it comes in.
export function showWriting() {
  const text = element("p", { class: "headline writing" });
  return [text];
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

function lookedAt(reply, preview, url) {
  const { explanation } = reply;
  const parts = explanation.words.length ? wordsRead(explanation) : [];
  if (!explanation.times.length) {
    const [beside, show] = overPicture(explanation, preview, url);
    return { beside, parts, show };
  }
  const [strip, show] = filmStrip(explanation, preview, url);
  // Sizes are known once it is on the page.
  requestAnimationFrame(() => show(null));
  return { parts: [element("h3", {}, "Where it looked"), strip, ...parts], show };
}

function mainPart(reply, show) {
  if ("caption" in reply) return captionPart(reply, show);
  if ("sentences" in reply) return taggingPart(reply);
  const key = "answer" in reply ? "answer" : "activity";
  const headline = reply.explanation ? pointedAt(readable(reply[key]), 0, show) : readable(reply[key]);
  return candidatesPart(headline, reply.candidates.map((c) => [c[key], c.probability]));
}

function captionPart(reply, show) {
  const pieces = reply.tokens.filter((token) => token.text.trim()).map((token) =>
    element("li", {},
      element("span", {}, token.text.trim()),
      bar(token.probability),
      element("small", {}, percent(token.probability))));
  return element("div", {},
    element("p", { class: "headline" }, ...(reply.explanation ? words(reply, show) : [reply.caption || "(no words)"])),
    reply.explanation ? element("p", { class: "muted" }, "Point at a word, or tab to it, to see where the model looked.") : "",
    element("h3", {}, "How sure it was of each piece"),
    element("ol", { class: "pieces" }, ...pieces),
    element("p", { class: "muted" }, `Log-probability of the whole: ${reply.log_probability.toFixed(2)}`));
}

function words(reply, show) {
  return reply.tokens.flatMap((token, i) => {
    const word = pointedAt(token.text.trimStart(), i, show);
    return token.text.startsWith(" ") ? [" ", word] : [word];
  });
}

function pointedAt(text, index, show) {
  const word = element("button", { type: "button", class: "piece" }, text);
  for (const name of ["pointerenter", "focus"]) word.addEventListener(name, () => show(index));
  for (const name of ["pointerleave", "blur"]) word.addEventListener(name, () => show(null));
  return word;
}

function candidatesPart(headline, candidates) {
  const rows = candidates.map(([label, probability]) =>
    element("li", {},
      element("span", {}, readable(label)),
      bar(probability),
      element("small", {}, percent(probability))));
  return element("div", {},
    element("p", { class: "headline" }, headline),
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
      element("pre", { tabindex: "0" }, element("code", {}, JSON.stringify({ ...reply, explanation: undefined }, null, 2)))));
}

export function bar(probability) {
  const fill = element("i");
  fill.style.width = `${100 * probability}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}

const readable = (label) => label.replaceAll("_", " ");
const percent = (p) => `${p >= 0.1 || p === 0 ? Math.round(100 * p) : (100 * p).toFixed(1)}%`;
const milliseconds = (ms) => `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
