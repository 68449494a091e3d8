// Marks of an answer, such as boxes: over the photo in the preview, and over a copy beside the answer for narrow screens.

import { element } from "./elements.js";
import { framed } from "./inputs.js";

// The marks of a reply over the picture `url`; null if the renderer of the output draws none. `layer` belongs into the
// preview, `beside` above the answer; `link` connects the marks with the elements of the answer that have their number.
export function marksOf(reply, renderer, url) {
  if (!renderer.overlay || !url) return null;
  const layers = [renderer.overlay(reply), renderer.overlay(reply)];
  const copy = framed(element("img", { src: url, alt: "" }));
  const beside = element("div", { class: "beside" }, copy);
  copy.append(layers[1]);
  copy.firstChild.addEventListener("error", () => beside.remove());
  return { url, layer: layers[0], beside, link: (answer) => link([...layers, answer]) };
}

// Show marks over the preview if it shows their picture.
export function placeOver(preview, marks) {
  const picture = preview.querySelector("img");
  if (marks && picture?.src === marks.url) picture.parentElement.append(marks.layer);
}

// Highlight all elements with one number while one of them is pointed at, or else while one has the focus.
function link(roots) {
  const nodes = roots.flatMap((root) => [...root.querySelectorAll("[data-mark]")]);
  const highlight = (number) => nodes.forEach((each) => each.classList.toggle("pointed", each.dataset.mark === number));
  const focused = () => nodes.find((node) => node.contains(document.activeElement))?.dataset.mark;
  for (const node of nodes) {
    for (const name of ["pointerenter", "focusin"]) node.addEventListener(name, () => highlight(node.dataset.mark));
    node.addEventListener("pointerleave", () => highlight(focused()));
    node.addEventListener("focusout", () => highlight(undefined));
  }
}
