// Renderer of constituency trees: constituents as nested lists.

import { element } from "../elements.js";

export function render(reply, show, below) {
  const trees = reply.sentences.map(({ tree }) => {
    const tokens = tree.match(/[()]|[^\s()]+/g);
    return element("ul", { class: "tree" }, constituent(tokens));
  });
  return element("div", {}, ...trees, below);
}

// Take a constituent, "(NP the dog)", from the beginning of the tokens. Words between its constituents share a line.
function constituent(tokens) {
  tokens.shift();
  const label = element("span", { class: "tag noun" }, tokens.shift());
  const parts = [];
  let words = null;
  while (tokens[0] !== ")") {
    if (tokens[0] === "(") {
      parts.push(constituent(tokens));
      words = null;
    } else {
      if (!words) parts.push((words = element("li", {})));
      words.append(`${words.textContent && " "}${tokens.shift()}`);
    }
  }
  tokens.shift();
  const isFlat = parts.length === 1 && parts[0] === words;
  return element("li", {}, label, ...(isFlat ? [` ${words.textContent}`] : [element("ul", {}, ...parts)]));
}
