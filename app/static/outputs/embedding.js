// Renderer of embedding outputs: the beginning of the vector, and all of it to copy.

import { copyButton, element } from "../elements.js";

export const options = [{ name: "exit", label: "Exit of the network", choices: ["best", "balanced", "fast"] }];

export function render(reply, show, below) {
  const first = reply.vector.slice(0, 8).map((value) => value.toFixed(4)).join(", ");
  return element("div", {},
    element("p", { class: "headline" }, `${reply.width} numbers at the exit ${reply.exit}`),
    below,
    element("div", { class: "curl-head" },
      element("h3", {}, "The first of them"), copyButton("Copy all", () => JSON.stringify(reply.vector))),
    element("pre", { class: "plain", tabindex: "0" }, element("code", {}, `${first}, …`)));
}
