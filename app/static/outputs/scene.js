// Renderer of scenes that are read: the words where they stand in the picture, and as a list; a click copies a word.

import { bar, copyButton, element, percent } from "../elements.js";

export const explains = false; // the words stand where the model looked

// The outline of each word over the picture, whose size it follows. The list says the same in words.
export function overlay(reply) {
  return outlines(reply.words.map(({ relative }) => relative));
}

// Polygons over a picture; their corners are fractions of it.
export function outlines(polygons) {
  const svg = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const layer = svg("svg", { class: "boxes", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  layer.append(...polygons.map((corners, i) =>
    svg("polygon", { class: "written", points: corners.map((point) => point.join(",")).join(" "), "data-mark": String(i) })));
  return layer;
}

export function render(reply, show, below) {
  if (!reply.words.length) return element("div", {}, element("p", { class: "headline" }, "(nothing is written)"), below);
  const all = reply.words.map(({ text }) => text).join(" ");
  return element("div", {},
    element("p", { class: "headline" }, all),
    copyButton("Copy all", () => all),
    below,
    element("h3", {}, "Each word, and how likely; a click copies it"),
    element("ol", { class: "candidates found" }, ...reply.words.map(row)));
}

function row({ text, point, probability }, i) {
  const [x, y] = point.map(Math.round);
  return element("li", { "data-mark": String(i) }, copyButton(text, () => text), bar(probability),
    element("small", {}, percent(probability)), element("small", { class: "corners" }, `Pixels: ${x} from the left, ${y} from the top`));
}
