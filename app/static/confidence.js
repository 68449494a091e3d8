// How likely an answer is right, in plain words.

import { element, percent } from "./elements.js";

// A line below an answer: how likely it is right, marked if it is more likely wrong; nothing from a model without
// calibrated confidence. `threshold` is that of the task.
export function confidenceLine({ confidence }, threshold) {
  if (confidence === null || confidence === undefined) return "";
  const unsure = confidence < threshold;
  const mark = unsure ? [element("strong", {}, "Not sure"), ". "] : [];
  return element("p", { class: unsure ? "confidence unsure" : "confidence" }, ...mark, `${percent(confidence)} likely to be right.`);
}
