// Rendering of answers: the output's own renderer, attention weights, notes and timings.

import { filmStrip, overPicture, wordsRead } from "./attention.js";
import { element, milliseconds } from "./elements.js";

// The renderer module of an output; plain JSON for outputs without one.
export async function rendererOf(output) {
  try {
    return await import(`./outputs/${output}.js`);
  } catch {
    return import("./outputs/plain.js");
  }
}

// Render a reply; attention weights are drawn over the preview if it still shows `url`. The lines `below` follow the answer;
// `marks` are those of marksOf().
export function showAnswer(reply, renderer, marks, preview, url, ...below) {
  const looked = reply.explanation ? lookedAt(reply, preview, url) : { parts: [], show: () => {} };
  const answer = renderer.render(reply, looked.show, element("div", {}, ...below));
  marks?.link(answer);
  return [marks?.beside ?? looked.beside ?? "", answer, ...looked.parts, ...reply.notes.map(note), details(reply)];
}

// An empty text that is filled while an answer streams.
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
  return [element("p", { class: "empty" }, "No answer yet. Choose an input, or try a sample.")];
}

function lookedAt(reply, preview, url) {
  const { explanation } = reply;
  const parts = explanation.words.length ? wordsRead(explanation) : [];
  if (!explanation.times.length) {
    const [beside, show] = overPicture(explanation, preview, url);
    return { beside, parts, show };
  }
  const [strip, show] = filmStrip(explanation, preview, url);
  // The strip has no size before it is on the page.
  requestAnimationFrame(() => show(null));
  return { parts: [element("h3", {}, "Where it looked"), strip, ...parts], show };
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
