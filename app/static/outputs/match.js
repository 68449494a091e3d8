// Renderer of match outputs: how well a text fits a picture.

import { bar, element, percent, pointedAt } from "../elements.js";

export function render(reply, show, below) {
  const headline = reply.score > 0 ? "It fits" : "It does not fit";
  const row = (name, probability) =>
    element("li", {}, element("span", {}, name), bar(probability), element("small", {}, percent(probability)));
  return element("div", {},
    element("p", { class: "headline" }, reply.explanation ? pointedAt(headline, 0, show) : headline),
    below,
    element("h3", {}, "Probability"),
    element("ol", { class: "candidates" }, row("It fits", reply.probability), row("It does not fit", 1 - reply.probability)),
    element("p", { class: "muted" }, `Score (log-odds): ${reply.score.toFixed(2)}. Higher is a better fit; compare it between texts or pictures.`));
}
