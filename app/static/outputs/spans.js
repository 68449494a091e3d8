// Renderer of entities: the text with its names marked, and a list of them.

import { element, percent } from "../elements.js";

export function render(reply, show, below) {
  const sentences = reply.sentences.map((sentence) =>
    element("p", { class: "tagged" }, ...sentence.tokens.map((token) => {
      const family = token.tag === "O" ? "other" : "noun";
      return element("span", { class: `word ${family}`, title: `${token.tag}, ${percent(token.probability)}` },
        element("span", {}, token.text), element("small", {}, token.tag === "O" ? "" : token.tag));
    })));
  const found = reply.sentences.flatMap((sentence) => sentence.entities);
  const names = found.map((entity) =>
    element("li", {}, element("strong", {}, entity.text), ` ${entity.type}, ${percent(entity.probability)}`));
  return element("div", {}, ...sentences, below,
    element("h3", {}, "Names"), found.length ? element("ul", {}, ...names) : element("p", {}, "none found"));
}
