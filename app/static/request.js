// The request of a form, and the equivalent curl command.

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

// The headers and body for fetch; `files`, `texts` and `options` map names of fields to values.
export function bodyOf(use, files, texts, options) {
  if (!use.multipart) {
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(values(use, texts, options)) };
  }
  const form = new FormData();
  for (const field of use.uploads) if (files[field.name]) form.append(field.name, files[field.name].file);
  for (const field of use.values) form.append(field.name, texts[field.name]);
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  for (const [name, value] of choosing(use)) form.append(name, value);
  if (use.explains) form.append("explain", "true");
  if (use.streams) form.append("stream", "true");
  return { body: form };
}

export function commandOf(use, files, texts, options, here) {
  const url = new URL(use.path.slice(1), here);
  if (!use.multipart) return `curl --json ${quoted(JSON.stringify(values(use, texts, options)))} ${url}`;
  const given = [...use.values.map((field) => [field.name, texts[field.name]]), ...Object.entries(options), ...choosing(use)];
  const others = given.map(([name, text]) => ` --form-string ${quoted(`${name}=${text}`)}`).join("");
  const uploads = use.uploads.filter((field) => files[field.name] || !field.optional);
  const [first] = uploads;
  const sample = uploads.length === 1 && files[first.name]?.sample;
  if (sample) return `curl -s ${new URL(`static/samples/${sample.file}`, here)} |\n  curl -F ${first.name}=@-${others} ${url}`;
  return `curl${uploads.map((field) => ` -F ${quoted(`${field.name}=@"${nameOf(files[field.name])}"`)}`).join("")}${others} ${url}`;
}

const nameOf = (pick) => (pick?.file.name ?? "FILE").replace(/["\\]/g, "\\$&");

// Fields that are not texts contain JSON; invalid JSON is sent as a string, so that the server reports the error.
function values(use, texts, options) {
  const inputs = use.values.map((field) => [field.name, field.text ? texts[field.name] : parsed(texts[field.name])]);
  const given = Object.fromEntries([...inputs, ...Object.entries(options).map(([name, text]) => [name, parsed(text)])]);
  return { ...given, ...Object.fromEntries(choosing(use)) };
}

// The fields that choose among the tasks of an endpoint, with their values; both are joined by hyphens.
function choosing(use) {
  const names = use.choice ? use.chooses.split("-") : [];
  const values = names.length > 1 ? use.choice.split("-") : [use.choice];
  return names.map((name, i) => [name, values[i]]);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
