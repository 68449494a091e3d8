// Tabs, inputs and requests.

import { element, showAnswer, showBusy, showError, showNothing, showWriting } from "./render.js";
import { events } from "./stream.js";
import { ACCEPT, IMAGES, TASKS, TEXTS, VIDEOS } from "./tasks.js";

const $ = (id) => document.getElementById(id);
const SAMPLES = { image: IMAGES, video: VIDEOS };
const here = new URL(".", location.href);

// What was chosen is kept by medium: one picture serves both tabs that take one.
const chosen = { image: null, video: null };
const questions = {};
const answers = {};
let task = TASKS[0];
let running = null;

// ---- tabs

const tabs = TASKS.map((item) => {
  const tab = element("button", { type: "button", role: "tab", id: `tab-${item.id}`, "aria-controls": "panel" }, item.tab);
  tab.addEventListener("click", () => show(item));
  return tab;
});
$("tabs").append(...tabs);
$("tabs").addEventListener("keydown", (event) => {
  const now = TASKS.indexOf(task);
  const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: TASKS.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const index = (next + TASKS.length) % TASKS.length;
  show(TASKS[index]);
  tabs[index].focus();
});

function show(item) {
  running?.abort();
  $("run").removeAttribute("aria-busy");
  task = item;
  tabs.forEach((tab, i) => {
    const selected = TASKS[i] === item;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
  });
  history.replaceState(null, "", `#${item.id}`);
  $("panel").setAttribute("aria-labelledby", `tab-${item.id}`);
  $("summary").textContent = item.summary;
  $("media").hidden = !item.media;
  $("asking").hidden = !item.asks;
  $("writing").hidden = Boolean(item.media);
  $("run").textContent = item.verb;
  if (item.media) {
    $("file").accept = ACCEPT[item.media].types;
    $("file").value = $("camera").value = "";
    $("camera").accept = `${item.media}/*`;
    $("take").textContent = item.media === "image" ? "Take a photo" : "Record a clip";
    $("hint").textContent = `or drop one here, or paste it: ${ACCEPT[item.media].names}`;
    showPreview();
  }
  $("question").value = questions[item.media] ?? "";
  showSamples();
  $("answer").replaceChildren(...(answers[item.id] ?? showNothing()));
  showCurl();
}

// ---- inputs

function choose(medium, file, sample = null) {
  if (chosen[medium]?.url) URL.revokeObjectURL(chosen[medium].url);
  chosen[medium] = { file, sample, url: URL.createObjectURL(file) };
  showPreview();
  showSamples();
  showCurl();
}

function chooseOwn(file) {
  choose(task.media, file);
  if (!task.asks) run();
  else $("question").focus();
}

async function sampleFile(sample) {
  const response = await fetch(new URL(`static/samples/${sample.file}`, here));
  return new File([await response.blob()], sample.file);
}

async function takeSample(sample) {
  const medium = task.media;
  choose(medium, await sampleFile(sample), sample);
  questions[medium] = $("question").value = sample.question;
  run();
}

function showPreview() {
  const pick = chosen[task.media];
  if (!pick) return $("preview").replaceChildren(element("p", { class: "muted" }, "No file yet"));
  const name = pick.sample?.label ?? pick.file.name;
  const still = task.media === "image" || pick.file.type === "image/gif";
  const view = still
    ? element("img", { src: pick.url, alt: name })
    : element("video", { src: pick.url, controls: "", loop: "", playsinline: "", "aria-label": name });
  view.muted = true;
  view.addEventListener("error", () => {
    const words = `${name}: this browser cannot show it, the server may still read it`;
    view.replaceWith(element("p", { class: "muted" }, words));
  });
  return $("preview").replaceChildren(view);
}

function showSamples() {
  const buttons = task.media
    ? SAMPLES[task.media].map((sample) => mediaSample(sample))
    : TEXTS.map((text) => textSample(text));
  $("samples").className = task.media ? "pictures" : "texts";
  $("samples").replaceChildren(...buttons);
}

function mediaSample(sample) {
  const src = `static/samples/${sample.file}`;
  const picture = task.media === "image"
    ? element("img", { src, alt: "" })
    : element("video", { src: `${src}#t=0.1`, preload: "auto", playsinline: "", "aria-hidden": "true", tabindex: "-1" });
  picture.muted = true;
  const current = String(chosen[task.media]?.sample === sample);
  const button = element("button", { type: "button", "aria-pressed": current }, picture, element("span", {}, sample.label));
  button.addEventListener("click", () => takeSample(sample));
  return button;
}

function textSample(text) {
  const button = element("button", { type: "button" }, text);
  button.addEventListener("click", () => {
    $("text").value = text;
    showCurl();
    run();
  });
  return button;
}

for (const id of ["file", "camera"]) {
  $(id).addEventListener("change", () => $(id).files.length && chooseOwn($(id).files[0]));
}
$("question").addEventListener("input", () => {
  questions[task.media] = $("question").value;
  showCurl();
});
$("text").addEventListener("input", showCurl);

addEventListener("dragover", (event) => {
  event.preventDefault();
  $("media").classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? $("media").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("media").classList.remove("over");
  takeTransfer(event.dataTransfer);
});
addEventListener("paste", (event) => takeTransfer(event.clipboardData));

function takeTransfer(transfer) {
  const file = transfer?.files[0];
  if (file && task.media) chooseOwn(file);
}

// ---- requests

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});

async function run() {
  const asked = task;
  running?.abort();
  const control = (running = new AbortController());
  $("answer").replaceChildren(...showBusy());
  $("run").setAttribute("aria-busy", "true");
  const shown = await ask(asked, control.signal);
  if (control.signal.aborted) return;
  $("run").removeAttribute("aria-busy");
  answers[asked.id] = shown;
  $("answer").replaceChildren(...shown);
  // On a narrow screen the answer is below the form.
  $("answer-title").scrollIntoView({ block: "nearest" });
}

async function ask(asked, signal) {
  try {
    const response = await fetch(new URL(asked.path, here), { method: "POST", signal, ...body(asked) });
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
    const reply = isStream ? await written(response, signal) : await response.json();
    return reply.error ? showError(reply.error) : showAnswer(reply, $("preview"), chosen[asked.media]?.url);
  } catch {
    return showError({ code: "unreachable", message: "the server could not be reached; is it still running?" });
  }
}

// The last event of a caption, the others having been shown.
async function written(response, signal) {
  const [text] = showWriting();
  $("answer").replaceChildren(text);
  for await (const [name, data] of events(response)) {
    if (signal.aborted) break;
    if (name !== "token") return data;
    text.append(data.text);
  }
  throw new Error("the stream ended early");
}

function body(asked) {
  if (!asked.media) {
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text: $("text").value }) };
  }
  const form = new FormData();
  if (chosen[asked.media]) form.append(asked.media, chosen[asked.media].file);
  if (asked.asks) form.append("question", $("question").value);
  form.append("explain", "true");
  if (asked.streams) form.append("stream", "true");
  return { body: form };
}

// ---- the same as a shell command

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function showCurl() {
  $("curl").textContent = task.media ? formCommand() : `curl --json ${quoted(JSON.stringify({ text: $("text").value }))} ${new URL(task.path, here)}`;
}

function formCommand() {
  const pick = chosen[task.media];
  const url = new URL(task.path, here);
  const question = task.asks ? ` --form-string ${quoted(`question=${$("question").value}`)}` : "";
  if (pick?.sample) {
    return `curl -s ${new URL(`static/samples/${pick.sample.file}`, here)} |\n  curl -F ${task.media}=@-${question} ${url}`;
  }
  const name = (pick?.file.name ?? "FILE").replace(/["\\]/g, "\\$&");
  return `curl -F ${quoted(`${task.media}=@"${name}"`)}${question} ${url}`;
}

$("copy").addEventListener("click", async () => {
  const range = document.createRange();
  range.selectNodeContents($("curl"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  // The clipboard is closed to pages that came over plain HTTP from another machine: the line stays selected.
  const copied = await navigator.clipboard?.writeText($("curl").textContent).then(() => true, () => false);
  $("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
});

// ---- start

async function showModel() {
  try {
    const response = await fetch(new URL("tasks", here));
    if (response.ok) {
      const { model } = await response.json();
      $("model").textContent = `${model.name} ${model.version} on ${model.devices.join(", ")}`;
      return;
    }
    $("model").textContent = "The model is being loaded…";
  } catch {
    $("model").textContent = "The server cannot be reached";
  }
  setTimeout(showModel, 1500);
}

$("text").value = TEXTS[0];
questions.image = IMAGES[0].question;
questions.video = VIDEOS[0].question;
show(TASKS.find((item) => `#${item.id}` === location.hash) ?? TASKS[0]);
showModel();
for (const [medium, [sample]] of Object.entries(SAMPLES)) {
  sampleFile(sample).then((file) => chosen[medium] ?? choose(medium, file, sample));
}
