// Renderer of tag outputs: words with their tags.

import { element, percent } from "../elements.js";

// Penn Treebank tags: family (which gives the colour) and meaning.
const TAGS = {
  NN: ["noun", "noun"], NNS: ["noun", "plural noun"], NNP: ["noun", "proper noun"],
  NNPS: ["noun", "plural proper noun"], FW: ["noun", "foreign word"],
  VB: ["verb", "verb, base form"], VBD: ["verb", "verb, past tense"], VBG: ["verb", "verb, -ing form"],
  VBN: ["verb", "verb, past participle"], VBP: ["verb", "verb, present"],
  VBZ: ["verb", "verb, third person present"], MD: ["verb", "modal verb"],
  JJ: ["adjective", "adjective"], JJR: ["adjective", "comparative adjective"],
  JJS: ["adjective", "superlative adjective"], CD: ["adjective", "number"],
  RB: ["adverb", "adverb"], RBR: ["adverb", "comparative adverb"], RBS: ["adverb", "superlative adverb"],
  RP: ["adverb", "particle"], WRB: ["adverb", "question adverb"],
  PRP: ["pronoun", "pronoun"], PRP$: ["pronoun", "possessive pronoun"], WP: ["pronoun", "question pronoun"],
  WP$: ["pronoun", "possessive question pronoun"], EX: ["pronoun", "existential there"],
  DT: ["determiner", "determiner"], PDT: ["determiner", "predeterminer"], WDT: ["determiner", "question determiner"],
  IN: ["link", "preposition or conjunction"], TO: ["link", "to"], CC: ["link", "coordinating conjunction"],
  POS: ["link", "possessive ending"],
};

export function render(reply, show, below) {
  const seen = new Map();
  const sentences = reply.sentences.map((sentence) =>
    element("p", { class: "tagged" }, ...sentence.tokens.map((token) => {
      const [family, meaning] = TAGS[token.tag] ?? ["other", "punctuation or symbol"];
      seen.set(token.tag, [family, meaning]);
      return element("span", { class: `word ${family}`, title: `${meaning}, ${percent(token.probability)}` },
        element("span", {}, token.text), element("small", {}, token.tag));
    })));
  const legend = [...seen].map(([tag, [family, meaning]]) =>
    element("li", {}, element("span", { class: `tag ${family}` }, tag), ` ${meaning}`));
  return element("div", {}, ...sentences, below,
    element("h3", {}, "What the tags mean"), element("ul", { class: "legend" }, ...legend));
}
