// Renderer of match outputs: how well a text fits a picture.

import { bar, element, percent, pointedAt } from "../elements.js";

export function render(reply, show, below) {
  const headline = reply.score > 0 ? "It fits" : "It does not fit";
  return element("div", {},
    element("p", { class: "headline" }, reply.explanation ? pointedAt(headline, 0, show) : headline),
    below,
    element("h3", {}, "Probability that it fits"),
    element("ol", { class: "candidates" },
      element("li", {}, element("span", {}, "fits"), bar(reply.probability), element("small", {}, percent(reply.probability)))));
}
