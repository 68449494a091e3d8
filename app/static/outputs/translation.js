// Renderer of translations: each text, then the next best ones if the request asked for some.

import { element } from "../elements.js";

export function render(reply, show, below) {
  const [texts, others] = Array.isArray(reply.translation)
    ? [reply.translation, reply.alternatives]
    : [[reply.translation], [reply.alternatives]];
  const lists = others.map((each) => each.length
    ? element("ul", {}, ...each.map(({ translation }) => element("li", {}, translation)))
    : "");
  return element("div", {}, ...texts.flatMap((text, i) => [element("p", { class: "headline" }, text), lists[i]]), below);
}
