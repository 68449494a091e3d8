// Renderer of transcripts: the text, then the next likeliest ones if the request asked for some.

import { element } from "../elements.js";

export function render(reply, show, below) {
  const others = reply.alternatives.map(({ text }) => element("li", {}, text || "(nothing)"));
  return element("div", {},
    element("p", { class: "headline" }, reply.text || "(nothing was said)"),
    others.length ? element("ul", {}, ...others) : "",
    below);
}
