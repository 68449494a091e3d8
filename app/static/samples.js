// Buttons for sample files and texts.

import { element } from "./elements.js";

const here = new URL(".", location.href);

export async function sampleFile(sample) {
  const response = await fetch(new URL(`static/samples/${sample.file}`, here));
  return new File([await response.blob()], sample.file, { type: sample.type });
}

export function mediaSample(sample, isChosen, take) {
  const src = `static/samples/${sample.file}`;
  const picture = sample.type.startsWith("image/")
    ? element("img", { src, alt: "" })
    : element("video", { src: `${src}#t=0.1`, preload: "auto", playsinline: "", "aria-hidden": "true", tabindex: "-1" });
  picture.muted = true;
  const pressed = String(isChosen);
  const button = element("button", { type: "button", "aria-pressed": pressed }, picture, element("span", {}, sample.label));
  button.addEventListener("click", take);
  return button;
}

// The source and the licence of a sample; nothing for a file of the user.
export function creditLine(sample) {
  if (!sample?.credit) return [];
  const { photo, source, licence, licence_url: address } = sample.credit;
  const from = sample.type.startsWith("image/") ? "Photo" : "A pan over photo";
  return [`${from} ${photo} of COCO, from `, link(source, "Flickr"), ", ", link(address, licence)];
}

const link = (href, text) => element("a", { href, rel: "noreferrer" }, text);

export function textSample(text, take) {
  const button = element("button", { type: "button" }, text);
  button.addEventListener("click", take);
  return button;
}
