// Renderer of box outputs: where a thing is, in pixels of the picture, or that it is absent.

import { bar, element, percent } from "../elements.js";

export function render(reply, show, below) {
  const rows = reply.boxes.map((found) =>
    element("li", {},
      element("span", {}, found.box.map(Math.round).join(", ")),
      bar(found.probability),
      element("small", {}, percent(found.probability))));
  return element("div", {},
    element("p", { class: "headline" }, rows.length ? "Found" : "Not in the picture"),
    below,
    element("h3", {}, "Left, top, right and bottom in pixels"),
    element("ol", { class: "candidates" }, ...rows),
    element("p", { class: "muted" }, `Probability that it is not in the picture: ${percent(reply.absent_probability)}`));
}
