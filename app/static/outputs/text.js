// Renderer of text outputs: the text and the probability of each piece.

import { bar, element, percent, pointedAt } from "../elements.js";

export function render(reply, show, truth) {
  const pieces = reply.tokens.filter((token) => token.text.trim()).map((token) =>
    element("li", {},
      element("span", {}, token.text.trim()),
      bar(token.probability),
      element("small", {}, percent(token.probability))));
  return element("div", {},
    element("p", { class: "headline" }, ...(reply.explanation ? words(reply, show) : [reply.caption || "(no words)"])),
    truth,
    reply.explanation ? element("p", { class: "muted" }, "Point at a word, or tab to it, to see where the model looked.") : "",
    element("h3", {}, "Probability of each piece"),
    element("ol", { class: "pieces" }, ...pieces),
    element("p", { class: "muted" }, `Log-probability of the whole: ${reply.log_probability.toFixed(2)}`));
}

function words(reply, show) {
  return reply.tokens.flatMap((token, i) => {
    const word = pointedAt(token.text.trimStart(), i, show);
    return token.text.startsWith(" ") ? [" ", word] : [word];
  });
}
