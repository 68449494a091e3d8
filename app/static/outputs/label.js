// Renderer of label outputs: the predicted class and the most likely others. The key of the class depends on the task.

import { bar, element, percent, pointedAt, readable } from "../elements.js";

export function render(reply, show, below) {
  const name = Object.keys(reply.candidates[0]).find((key) => key !== "probability");
  const rows = reply.candidates.map((candidate) =>
    element("li", {},
      element("span", {}, readable(candidate[name])),
      bar(candidate.probability),
      element("small", {}, percent(candidate.probability))));
  const headline = readable(reply[name]);
  return element("div", {},
    element("p", { class: "headline" }, reply.explanation ? pointedAt(headline, 0, show) : headline),
    below,
    element("h3", {}, "Most likely"),
    element("ol", { class: "candidates" }, ...rows));
}
