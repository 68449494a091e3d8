// Input fields: a file chooser with a preview for each upload, a text field for each other input.

import { element } from "./elements.js";
import { mainType } from "./uses.js";

const CAPTURES = { image: "Take a photo", video: "Record a clip" };

// A file chooser; calls `choose` with the file.
export function uploadField(field, several, choose) {
  const [preview, credit] = [element("div", { class: "preview" }), element("p", { class: "credit" })];
  const [file, camera] = [chooser(`file-${field.name}`, field.accept), chooser(`camera-${field.name}`, `${mainType(field)}/*`)];
  camera.setAttribute("capture", "environment");
  camera.classList.add("touch");
  for (const input of [file, camera]) input.addEventListener("change", () => input.files.length && choose(input.files[0]));
  const capture = CAPTURES[mainType(field)];
  const section = element("section", { class: "media", "aria-label": several ? field.name : "File" },
    several ? element("h2", { class: "name" }, field.name) : "",
    preview,
    credit,
    element("div", { class: "choose" }, file,
      element("label", { for: file.id, class: "quiet" }, "Choose a file"),
      ...(capture ? [camera, element("label", { for: camera.id, class: "quiet touch" }, capture)] : []),
      element("span", { class: "muted" },
        element("span", { class: "mouse" }, "or drop one here, or paste it: "), field.summary.replace(/\.$/, ""))));
  return { section, preview, credit };
}

function chooser(id, accept) {
  return element("input", { id, type: "file", accept, class: "visually-hidden" });
}

// A text field: one line next to uploads, otherwise and for JSON a text area.
export function textField(field, beside, value, changed) {
  const id = `text-${field.name}`;
  const input = beside && field.text
    ? element("input", { id, type: "text", autocomplete: "off", maxlength: "500" })
    : element("textarea", { id, rows: "5" });
  input.value = value;
  input.addEventListener("input", () => changed(input.value));
  const label = `${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}${field.text ? "" : " (JSON)"}`;
  return { section: element("div", { class: "field" }, element("label", { for: id }, label), input), input };
}

export function showPreview(preview, pick) {
  if (!pick) return preview.replaceChildren(element("p", { class: "muted" }, "No file yet"));
  const name = pick.sample?.label ?? pick.file.name;
  const view = viewOf(pick, name);
  view.muted = true;
  view.addEventListener("error", () => {
    view.replaceWith(element("p", { class: "muted" }, `${name} (no preview)`)); // whether it can be read says the answer
  });
  return preview.replaceChildren(view);
}

function viewOf({ type: given, url }, name) {
  const type = given.split("/", 1)[0];
  if (type === "image") return element("img", { src: url, alt: name });
  if (type === "audio") return element("audio", { src: url, controls: "", "aria-label": name });
  return element("video", { src: url, controls: "", loop: "", playsinline: "", "aria-label": name });
}
