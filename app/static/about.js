// What the served model knows, in the words of its card, and the licence of its weights.

import { element } from "./elements.js";

export function aboutModel(model, tasks) {
  const knows = model.summary || `Its tasks: ${tasks.map((task) => task.summary).join("; ")}.`;
  const licence = model.licence
    ? ["Licence of the weights: ", element("a", { href: "model-licence" }, model.licence), "."]
    : ["No licence of the weights is stated."];
  return [`${knows} `, element("a", { href: "model-card" }, "Model card"), ". ", ...licence];
}
