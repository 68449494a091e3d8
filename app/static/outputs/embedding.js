// Renderer of embedding outputs: the beginning of the vector.

import { element } from "../elements.js";

export function render(reply, show, below) {
  const first = reply.vector.slice(0, 8).map((value) => value.toFixed(4)).join(", ");
  return element("div", {},
    element("p", { class: "headline" }, `${reply.width} numbers at the exit ${reply.exit}`),
    below,
    element("pre", { class: "plain", tabindex: "0" }, element("code", {}, `${first}, …`)));
}
