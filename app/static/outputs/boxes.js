// Renderer of box outputs: where a thing is in a picture, as boxes over the picture and as a list, or that it is absent.

import { capital, bar, element, percent } from "../elements.js";

export const explains = false; // the boxes themselves show where the model looked
export const options = [
  { name: "candidates", label: "Boxes to choose among (JSON), optional", placeholder: "[[0, 0, 120, 80], [40, 20, 200, 160]]" },
];

// The boxes over the picture, whose size they follow. The list says the same in words.
export function overlay(reply) {
  const boxes = reply.boxes.map(({ relative: [left, top, right, bottom] }, i) => {
    const box = element("div", { class: i ? "box" : "box best", "data-mark": String(i) }, element("span", {}, String(i + 1)));
    const place = { left, top, width: right - left, height: bottom - top };
    for (const [name, share] of Object.entries(place)) box.style[name] = `${100 * share}%`;
    return box;
  });
  return element("div", { class: "boxes", "aria-hidden": "true" }, ...boxes.reverse()); // the best one is on top
}

export function render(reply, show, below) {
  if (!reply.boxes.length) {
    return element("div", {},
      element("p", { class: "headline" }, `Not in the picture (${percent(reply.absent_probability)})`), below);
  }
  const places = reply.boxes.length === 1 ? "one place" : `${reply.boxes.length} places`;
  return element("div", {},
    element("p", { class: "headline" }, `Found in ${places}`),
    below,
    element("h3", {}, "Where, and how likely"),
    element("ol", { class: "candidates found" }, ...reply.boxes.map(row)),
    element("p", { class: "muted" }, `Probability that it is not in the picture: ${percent(reply.absent_probability)}`));
}

function row(found, i) {
  const [left, top, right, bottom] = found.box.map(Math.round);
  const name = element("button", { type: "button", class: "piece" },
    element("span", { class: "number" }, String(i + 1)), ` ${placeOf(found.relative)}`);
  return element("li", { "data-mark": String(i) }, name, bar(found.probability), element("small", {}, percent(found.probability)),
    element("small", { class: "corners" }, `Pixels: left ${left}, top ${top}, right ${right}, bottom ${bottom}`));
}

// Where the middle of a box is, in words.
function placeOf([left, top, right, bottom]) {
  const third = (middle, names) => names[Math.min(2, Math.floor(3 * middle))];
  const down = third((top + bottom) / 2, ["top", "middle", "bottom"]);
  const across = third((left + right) / 2, ["left", "centre", "right"]);
  return down === "middle" && across === "centre" ? "In the middle" : `${capital(down)} ${across}`;
}
