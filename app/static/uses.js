// The uses of the served model's tasks, in the order of their tabs.

// Uses with an image come first, then those without files, then the rest.
export function usesOf(tasks) {
  const uses = tasks.flatMap((task) => task.uses.map((use) => ({ ...use, output: task.output, threshold: task.confidence?.threshold, inputs: inputsOf(use) })));
  return uses
    .map((use) => ({
      ...use,
      id: use.path.slice(1),
      tab: [use.path.slice(1), use.choice].filter(Boolean).join("-"),
      verb: use.title.includes(" ") ? use.title.split(" ", 1)[0] : "Run",
      summary: `${use.summary.charAt(0).toUpperCase()}${use.summary.slice(1)}.`,
      uploads: use.inputs.filter((field) => field.upload),
      values: use.inputs.filter((field) => !field.upload),
    }))
    .map((use) => ({ ...use, rank: rank(use.uploads) }))
    .sort((one, other) => one.rank - other.rank);
}

// The first field of each group of alternatives.
function inputsOf(use) {
  const groups = new Map();
  for (const field of use.fields) {
    const group = field.group ?? field.role;
    if (!groups.has(group)) groups.set(group, field);
  }
  return [...groups.values()];
}

function rank([first]) {
  if (!first) return 1;
  return mainType(first) === "image" ? 0 : 2;
}

// The main type of the first media type that a field accepts, such as image or video.
export const mainType = (field) => field.accept.split("/", 1)[0];

// Whether a field accepts files of a media type.
export function takes(field, type) {
  return field.accept.split(",").some((each) => each === type || (each.endsWith("/*") && type.startsWith(each.slice(0, -1))));
}
