// Input fields: a file chooser with a preview for each upload, a text field for each other input.

import { capital, element, readable } from "./elements.js";
import { canRecord, recordButton } from "./recorder.js";
import { mainType } from "./uses.js";

const CAPTURES = { image: "Take a photo", video: "Record a clip" };

// A file chooser; calls `choose` with the file, and `remove` if an optional file is removed.
export function uploadField(field, several, choose, remove) {
  const [preview, credit] = [element("div", { class: "preview" }), element("p", { class: "credit" })];
  const [file, camera] = [chooser(`file-${field.name}`, field.accept), chooser(`camera-${field.name}`, `${mainType(field)}/*`)];
  camera.setAttribute("capture", "environment");
  camera.classList.add("touch");
  for (const input of [file, camera]) input.addEventListener("change", () => input.files.length && choose(input.files[0]));
  const capture = CAPTURES[mainType(field)];
  const section = element("section", { class: "media", "aria-label": several ? labelOf(field) : "File" },
    several ? element("h2", { class: "name" }, labelOf(field)) : "",
    preview,
    credit,
    element("div", { class: "choose" }, file,
      element("label", { for: file.id, class: "quiet" }, "Choose a file"),
      ...(mainType(field) === "audio" && canRecord() ? recordButton(choose) : []),
      ...(capture ? [camera, element("label", { for: camera.id, class: "quiet touch" }, capture)] : []),
      ...(field.optional ? [removeButton(field, remove)] : []),
      element("span", { class: "muted" },
        element("span", { class: "mouse" }, "or drop one here, or paste it: "), field.summary.replace(/\.$/, ""))));
  return { section, preview, credit };
}

function removeButton(field, remove) {
  const button = element("button", { type: "button", class: "quiet", "aria-label": `Remove ${readable(field.name)}` }, "Remove");
  button.addEventListener("click", remove);
  return button;
}

// The name of a field for people.
function labelOf(field) {
  return `${capital(readable(field.name))}${field.optional ? " (optional)" : ""}`;
}

// A select; calls `changed` with the value. `choices` are pairs of value and label.
export function selectField(name, label, choices, value, changed) {
  const id = `select-${name}`;
  const input = element("select", { id }, ...choices.map(([each, said]) => element("option", { value: each }, said)));
  input.value = value;
  input.addEventListener("change", () => changed(input.value));
  return element("div", { class: "field" }, element("label", { for: id }, label), input);
}

// An option of an output, as its renderer describes it: a select, or one line of JSON.
export function optionField(option, value, changed) {
  if (option.choices) {
    return selectField(option.name, option.label, option.choices.map((each) => [each, each]), value || option.choices[0], changed);
  }
  const id = `option-${option.name}`;
  const input = element("input", { id, type: "text", autocomplete: "off", placeholder: option.placeholder });
  input.value = value;
  input.addEventListener("input", () => changed(input.value));
  return element("div", { class: "field" }, element("label", { for: id }, option.label), input);
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
  const label = `${labelOf(field)}${field.text ? "" : " (JSON)"}`;
  return { section: element("div", { class: "field" }, element("label", { for: id }, label), input), input };
}

export function showPreview(preview, pick) {
  if (!pick) return preview.replaceChildren(element("p", { class: "muted" }, "No file yet"));
  const name = pick.sample?.label ?? pick.file.name;
  const view = viewOf(pick, name);
  view.muted = view.tagName === "VIDEO";
  view.addEventListener("error", () => {
    preview.replaceChildren(element("p", { class: "muted" }, `${name} (no preview)`)); // whether it can be read says the answer
  });
  return preview.replaceChildren(view.tagName === "IMG" ? framed(view) : view);
}

// A picture in an element of its size, over which marks can be drawn.
export const framed = (picture) => element("div", { class: "framed" }, picture);

function viewOf({ type: given, url }, name) {
  const type = given.split("/", 1)[0];
  if (type === "image") return element("img", { src: url, alt: name });
  if (type === "audio") return element("audio", { src: url, controls: "", "aria-label": name });
  return element("video", { src: url, controls: "", loop: "", playsinline: "", "aria-label": name });
}
