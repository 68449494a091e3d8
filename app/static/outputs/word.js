// Renderer of words that are read: the text with its probability, then the next likeliest ones if the request asked for some.

import { element, percent } from "../elements.js";

export function render(reply, show, below) {
  const others = reply.alternatives.map(({ text, probability }) => element("li", {}, `${text || "(nothing)"} ${percent(probability)}`));
  return element("div", {},
    element("p", { class: "headline" }, reply.text || "(nothing is written)"),
    element("p", { class: "muted" }, `Probability: ${percent(reply.probability)}`),
    others.length ? element("ul", {}, ...others) : "",
    below);
}
