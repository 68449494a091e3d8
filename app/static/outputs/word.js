// Renderer of words that are read: the text with its probability, then the next likeliest ones if the request asked for some.

import { element, percent, pointedAt } from "../elements.js";

export function render(reply, show, below) {
  const others = reply.alternatives.map(({ text, probability }) => element("li", {}, `${text || "(nothing)"} ${percent(probability)}`));
  const letters = reply.explanation ? reply.tokens.map(({ text }, i) => pointedAt(text, i, show)) : [reply.text];
  return element("div", {},
    element("p", { class: "headline" }, ...(reply.text ? letters : ["(nothing is written)"])),
    element("p", { class: "muted" }, `Probability: ${percent(reply.probability)}`),
    reply.explanation && reply.text ? element("p", { class: "muted" }, "Point at a letter, or tab to it, to see where it was read.") : "",
    others.length ? element("ul", {}, ...others) : "",
    below);
}
