// Renderer of outputs without a renderer of their own: plain JSON.

import { element } from "../elements.js";

export function render({ model, timings_ms, notes, explanation, confidence, ...answer }, show, below) {
  return element("div", {},
    element("pre", { class: "plain", tabindex: "0" }, element("code", {}, JSON.stringify(answer, null, 2))), below);
}
