// Answers to elements: what the output's renderer makes of it, where the model looked, notes and times.

import { filmStrip, overPicture, wordsRead } from "./attention.js";
import { element, milliseconds } from "./elements.js";

// The module of an output; one that has none is shown as it is.
export async function rendererOf(output) {
  try {
    return await import(`./outputs/${output}.js`);
  } catch {
    return import("./outputs/plain.js");
  }
}

// With a preview, what the model looked at can be pointed at.
export function showAnswer(reply, renderer, preview, url) {
  const looked = reply.explanation ? lookedAt(reply, preview, url) : { parts: [], show: () => {} };
  return [looked.beside ?? "", renderer.render(reply, looked.show), ...looked.parts, ...reply.notes.map(note), details(reply)];
}

// A text as it comes in.
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
