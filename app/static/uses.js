// The uses of the served model's tasks, in the order of their tabs.

import { capital } from "./elements.js";

// Uses with an image come first, then those without files, then the rest. Uses that share an endpoint are one, with
// `choices`, of which choose() takes one; the first is the default.
export function usesOf(tasks) {
  const uses = tasks.flatMap((task) => task.uses.map((use) => ({ ...use, output: task.output, threshold: task.confidence?.threshold, inputs: inputsOf(use) })));
  return uses
    .filter((use, i) => uses.findIndex((other) => other.path === use.path) === i)
    .map((use) => ({
      ...use,
      id: use.path.slice(1),
      tab: use.path.slice(1),
      verb: use.title.includes(" ") ? use.title.split(" ", 1)[0] : "Run",
      summary: sentence(use.summary),
      choices: choicesOf(uses, use),
      alternatives: alternativesOf(use),
      uploads: use.inputs.filter((field) => field.upload),
      values: use.inputs.filter((field) => !field.upload),
    }))
    .map((use) => ({ ...use, rank: rank(use.uploads) }))
    .sort((one, other) => one.rank - other.rank);
}

// The choices at an endpoint; a task for two pictures has that of the task for one.
function choicesOf(uses, use) {
  const found = uses.filter((other) => other.path === use.path && other.multipart === use.multipart && other.choice);
  return found.filter((use, i) => found.findIndex((other) => other.choice === use.choice) === i);
}

// Take one of the choices of a use.
export function choose(use, choice) {
  const { summary, threshold, output, streams, explains } = use.choices.find((each) => each.choice === choice);
  Object.assign(use, { choice, threshold, output, streams, explains, summary: sentence(summary) });
}

// Fields of different inputs, of which a request has one, such as an image or a text; mostly none.
function alternativesOf({ fields }) {
  const several = fields.filter((field) => fields.some((other) => other.group === field.group && other.role !== field.role));
  return several.filter((field, i) => several.findIndex((other) => other.role === field.role) === i);
}

// Take one of the alternative inputs of a use.
export function give(use, name) {
  const field = use.alternatives.find((each) => each.name === name);
  Object.assign(use, { given: name, uploads: field.upload ? [field] : [], values: field.upload ? [] : [field] });
}

const sentence = (clause) => `${capital(clause)}.`;

// The first field of each group of alternatives; a field that is not required and has no alternative is optional.
function inputsOf(use) {
  const groupOf = (field) => field.group ?? field.role;
  const others = (field) => use.fields.filter((other) => other !== field && groupOf(other) === groupOf(field));
  return use.fields
    .filter((field, i) => use.fields.findIndex((other) => groupOf(other) === groupOf(field)) === i)
    .map((field) => ({ ...field, optional: !field.required && !others(field).length }));
}

function rank([first]) {
  if (!first) return 1;
  return mainType(first) === "image" ? 0 : 2;
}

// The main type of the first media type that a field accepts, such as image or video.
export const mainType = (field) => field.accept.split("/", 1)[0];

// Whether samples of a media type are shown for a field; a video, which fields for recordings accept, may have no sound.
export function showsSample(field, type) {
  const accepted = field.accept.split(",");
  return mainType(field) === type.split("/", 1)[0] && accepted.some((each) => each === type || each.endsWith("/*"));
}
