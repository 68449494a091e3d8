// Renderer of text outputs: the text and the probability of each piece.

import { bar, element, percent, pointedAt } from "../elements.js";

export function render(reply, show, below) {
  const pieces = reply.tokens.filter((token) => token.text.trim()).map((token) =>
    element("li", {},
      element("span", {}, token.text.trim()),
      bar(token.probability),
      element("small", {}, percent(token.probability))));
  return element("div", {},
    element("p", { class: "headline" }, ...(reply.explanation ? words(reply, show) : [reply.caption || "(no words)"])),
    below,
    reply.explanation ? element("p", { class: "muted" }, "Point at a word, or tab to it, to see where the model looked.") : "",
    element("h3", {}, "Probability of each piece"),
    element("ol", { class: "pieces" }, ...pieces),
    element("p", { class: "muted" }, `Probability of exactly this text: ${oddsOf(reply.log_probability)}`));
}

// A log-probability in plain words, such as "1 in 10,000".
function oddsOf(log) {
  const odds = Math.exp(-log);
  if (odds < 10) return percent(1 / odds);
  if (odds >= 1e12) return "less than 1 in a trillion";
  return `1 in ${Number(odds.toPrecision(2)).toLocaleString("en")}`;
}

function words(reply, show) {
  return reply.tokens.flatMap((token, i) => {
    const word = pointedAt(token.text.trimStart(), i, show);
    return token.text.startsWith(" ") ? [" ", word] : [word];
  });
}
