// The page: tabs, inputs, requests and answers.

import { aboutModel } from "./about.js";
import { confidenceLine } from "./confidence.js";
import { capital, element, readable } from "./elements.js";
import { optionField, selectField, showPreview, textField, uploadField } from "./inputs.js";
import { marksOf, placeOver } from "./marks.js";
import { rendererOf, showAnswer, showBusy, showError, showNothing, showWriting } from "./render.js";
import { bodyOf, commandOf } from "./request.js";
import { creditLine, mediaSample, sampleFile, textSample } from "./samples.js";
import { beginSearch, searchTab, showCount } from "./search.js";
import { events } from "./stream.js";
import { truthLine } from "./truth.js";
import { choose as chooseTask, give, showsSample, usesOf } from "./uses.js";

const $ = (id) => document.getElementById(id);
const here = new URL(".", location.href);

// Chosen files and entered texts are shared between tabs: files by form and position, texts by role.
const chosen = {};
const written = {};
const answers = {};
const marks = {}; // of the answer of each tab, over its picture
const set = {}; // options of outputs, by name
const renderers = {};
let samples = { files: [], texts: {} };
let uses = [];
let use = null;
let shown = {};
let running = null;
let choosing = null; // until the tabs have their first samples

const slot = (field) => `${field.form} ${use.uploads.filter((other) => other.form === field.form).indexOf(field)}`;
const topic = (field) => `${field.role} ${use.uploads[0]?.form ?? ""}`;
const files = () => Object.fromEntries(use.uploads.map((field) => [field.name, chosen[slot(field)]]));
const required = () => use.uploads.filter((field) => !field.optional);
const options = () => renderers[use.output].options ?? [];
const given = () => Object.fromEntries(options().filter(({ name }) => set[name]?.trim()).map(({ name }) => [name, set[name]]));
const texts = () => Object.fromEntries(use.values.map((field) => [field.name, written[topic(field)] ?? ""]));

// ---- tabs

function buildTabs() {
  $("tabs").replaceChildren(...uses.map((item) => {
    const tab = element("button", { type: "button", role: "tab", id: `tab-${item.tab}`, "aria-controls": item.panel ?? "panel" }, item.title);
    tab.addEventListener("click", () => show(item));
    return tab;
  }));
}

$("tabs").addEventListener("keydown", (event) => {
  const now = uses.indexOf(use);
  const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: uses.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const index = (next + uses.length) % uses.length;
  show(uses[index]);
  $("tabs").children[index].focus();
});

function show(item) {
  running?.abort();
  $("run").removeAttribute("aria-busy");
  use = item;
  [...$("tabs").children].forEach((tab, i) => {
    const selected = uses[i] === item;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
  });
  history.replaceState(null, "", `#${item.tab}`);
  for (const panel of document.querySelectorAll("[role=tabpanel]")) panel.hidden = panel.id !== (item.panel ?? "panel");
  if (item.panel) return showCount();
  $("panel").setAttribute("aria-labelledby", `tab-${item.tab}`);
  $("summary").textContent = item.summary;
  $("run").textContent = item.verb;
  buildInputs();
  showSamples();
  $("answer").replaceChildren(...(answers[item.tab] ?? showNothing()));
  showCurl();
}

// ---- inputs

function buildInputs() {
  shown = {};
  for (const field of use.uploads) {
    shown[field.name] = uploadField(field, use.uploads.length > 1, (file) => chooseOwn(field, file), () => remove(field));
    showFile(field);
  }
  for (const field of use.values) {
    written[topic(field)] ??= exampleOf(field);
    shown[field.name] = textField(field, use.uploads.length > 0, written[topic(field)], (value) => {
      written[topic(field)] = value;
      shown[field.name].input.removeAttribute("aria-invalid");
      showCurl();
    });
  }
  const files = use.uploads.map((field) => shown[field.name].section);
  $("inputs").replaceChildren(
    use.alternatives.length ? choiceOfInput() : "",
    files.length > 1 ? element("div", { class: "several" }, ...files) : files[0] ?? "",
    ...use.values.map((field) => shown[field.name].section),
    ...(use.choices.length > 1 ? [choiceOfTask()] : []),
    ...options().map((option) => optionField(option, set[option.name] ?? "", (value) => {
      set[option.name] = value;
      showCurl();
    })));
}

// A select for inputs of which a request has one.
function choiceOfInput() {
  const names = use.alternatives.map(({ name }) => [name, capital(readable(name))]);
  return selectField("input", "Input", names, use.given ?? names[0][0], (name) => {
    give(use, name);
    buildInputs();
    showSamples();
    showCurl();
    $("inputs").querySelector("select").focus();
  });
}

// A select for the tasks that share the endpoint.
function choiceOfTask() {
  return selectField(use.chooses, capital(use.chooses.replace("-", " and ")), use.choices.map((each) => [each.choice, each.title]), use.choice, (choice) => {
    chooseTask(use, choice);
    $("summary").textContent = use.summary;
    buildInputs(); // its output may have other options
    showCurl();
    $(`select-${use.chooses}`).focus();
  });
}

// Show the chosen file of a field, and whose photo it is if it is a sample.
function showFile(field) {
  const pick = chosen[slot(field)];
  showPreview(shown[field.name].preview, pick);
  placeOver(shown[field.name].preview, marks[use.tab]);
  shown[field.name].credit.replaceChildren(...creditLine(pick?.sample));
}

// The initial text of a field: that of the first sample shown, or a general one.
function exampleOf(field) {
  return samplesOf()[0]?.texts[field.role] ?? samples.texts[field.role]?.[0] ?? "";
}

function choose(field, file, sample = null) {
  const key = slot(field);
  const old = chosen[key]?.url; // freed later, since a player or the film strip may still be loading it
  if (old) setTimeout(() => URL.revokeObjectURL(old), 60_000);
  chosen[key] = { file, sample, type: file.type || field.accept, url: URL.createObjectURL(file) };
  if (shown[field.name]?.preview) showFile(field);
  showSamples();
  showCurl();
}

function remove(field) {
  delete chosen[slot(field)];
  showFile(field);
  showSamples();
  showCurl();
}

function chooseOwn(field, file) {
  choose(field, file);
  const [first] = use.values;
  if (first) shown[first.name].input.focus();
  else if (required().every((each) => chosen[slot(each)])) run();
}

// The upload field that the next sample fills: the first empty one that is not optional.
function nextUpload() {
  return required().find((field) => !chosen[slot(field)]) ?? use.uploads[0];
}

async function takeSample(sample) {
  const [asked, field] = [use, nextUpload()];
  const file = await sampleFile(sample);
  if (use !== asked) return;
  choose(field, file, sample);
  for (const value of use.values.filter((each) => sample.texts[each.role])) setText(value, sample.texts[value.role]);
  if (required().length === 1) run();
}

function setText(field, text) {
  written[topic(field)] = shown[field.name].input.value = text;
  showCurl();
}

function samplesOf() {
  return samples.files.filter((sample) => use.uploads.some((field) => showsSample(field, sample.type)));
}

function showSamples() {
  const [value] = use.values;
  const lines = use.uploads.length || !value?.text ? [] : samples.texts[value.role] ?? [];
  const isChosen = (sample) => use.uploads.some((field) => chosen[slot(field)]?.sample === sample);
  const buttons = use.uploads.length
    ? samplesOf().map((sample) => mediaSample(sample, isChosen(sample), () => takeSample(sample)))
    : lines.map((text) => textSample(text, () => takeText(value, text)));
  $("samples").className = use.uploads.length ? "pictures" : "texts";
  $("samples").replaceChildren(...buttons);
  $("samples").parentElement.hidden = !buttons.length;
}

function takeText(field, text) {
  setText(field, text);
  run();
}

const marked = (over) => document.querySelectorAll(".media").forEach((each) => each.classList.toggle("over", over));
addEventListener("dragover", (event) => {
  event.preventDefault();
  marked(true);
});
addEventListener("dragleave", (event) => event.relatedTarget ?? marked(false));
addEventListener("drop", (event) => {
  event.preventDefault();
  marked(false);
  const field = use?.uploads.find((each) => shown[each.name].section.contains(event.target));
  takeTransfer(event.dataTransfer, field);
});
addEventListener("paste", (event) => takeTransfer(event.clipboardData));

function takeTransfer(transfer, field) {
  const file = transfer?.files[0];
  if (file && use?.uploads.length) chooseOwn(field ?? nextUpload(), file);
}

// ---- requests

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});

async function run() {
  const asked = use;
  running?.abort();
  const control = (running = new AbortController());
  marks[asked.tab]?.layer.remove();
  marks[asked.tab] = null;
  $("answer").replaceChildren(...showBusy());
  $("run").setAttribute("aria-busy", "true");
  for (const field of asked.values) shown[field.name].input.removeAttribute("aria-invalid");
  const parts = await ask(asked, control.signal);
  if (control.signal.aborted) return;
  $("run").removeAttribute("aria-busy");
  answers[asked.tab] = parts;
  $("answer").replaceChildren(...parts);
  showWhole();
}

// On narrow screens the answer is below the form, out of sight: it begins at the top of the screen then.
function showWhole() {
  if (document.activeElement?.getAttribute("aria-invalid") === "true") return;
  if (matchMedia("(max-width: 800px)").matches) $("answer-title").scrollIntoView({ block: "start" });
}

// Mark the text field that an error is about, and go to it.
function markInvalid(asked, code) {
  const about = (field) => [`empty_${field.name}`, `empty_${field.role}`, `${field.role}_too_long`].includes(code);
  const field = asked.values.find(about);
  if (!field) return;
  shown[field.name].input.setAttribute("aria-invalid", "true");
  shown[field.name].input.focus();
}

async function ask(asked, signal) {
  await choosing;
  const [first] = asked.uploads;
  const [preview, pick] = first ? [shown[first.name].preview, chosen[slot(first)]] : [];
  const said = Object.fromEntries(use.values.map((field) => [field.role, written[topic(field)]]));
  const renderer = renderers[asked.output];
  try {
    const sent = { method: "POST", signal, ...bodyOf({ ...asked, explains: asked.explains && renderer.explains !== false }, files(), texts(), given()) };
    const response = await fetch(new URL(asked.id, here), sent);
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
    const reply = isStream ? await lastOf(response, signal) : await response.json();
    if (reply.error && !signal.aborted) markInvalid(asked, reply.error.code);
    if (reply.error) return showError(reply.error);
    const below = [confidenceLine(reply, asked.threshold), truthLine(reply, pick?.sample, said)];
    const drawn = marksOf(reply, renderer, pick?.url);
    if (signal.aborted) return [];
    marks[asked.tab] = drawn;
    if (drawn) placeOver(preview, drawn);
    return showAnswer(reply, renderer, drawn, preview, pick?.url, ...below);
  } catch {
    return showError({ code: "unreachable", message: "the server could not be reached; is it still running?" });
  }
}

// Show the tokens of a stream as they arrive; return the data of its last event.
async function lastOf(response, signal) {
  const [text] = showWriting();
  $("answer").replaceChildren(text);
  for await (const [name, data] of events(response)) {
    if (signal.aborted) break;
    if (name !== "token") return data;
    text.append(data.text ?? JSON.stringify(data));
  }
  throw new Error("the stream ended early");
}

// ---- the shell command

function showCurl() {
  $("curl").textContent = commandOf(use, files(), texts(), given(), here);
}

$("copy").addEventListener("click", async () => {
  const range = document.createRange();
  range.selectNodeContents($("curl"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  // Browsers provide no clipboard to pages over plain HTTP from another machine; the command stays selected there.
  const copied = await navigator.clipboard?.writeText($("curl").textContent).then(() => true, () => false);
  $("copy").textContent = copied ? "Copied" : "Selected";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
});

// ---- start

// The response of GET /tasks; polls until the model is loaded.
async function servedTasks() {
  try {
    const response = await fetch(new URL("tasks", here));
    if (response.ok) return await response.json();
    $("model").textContent = "The model is being loaded…";
  } catch {
    $("model").textContent = "The server cannot be reached";
  }
  await new Promise((done) => setTimeout(done, 1500));
  return servedTasks();
}

async function start() {
  const reading = fetch(new URL("static/samples.json", here)).then((response) => response.json());
  const { model, tasks, index } = await servedTasks();
  samples = await reading;
  const asked = usesOf(tasks);
  const every = asked.flatMap((each) => [each, ...each.choices]);
  await Promise.all(every.map(async ({ output }) => (renderers[output] = await rendererOf(output))));
  uses = index ? [...asked, searchTab] : asked;
  if (index) beginSearch(tasks);
  buildTabs();
  show(uses.find((item) => `#${item.tab}` === location.hash) ?? uses[0]);
  $("model").textContent = `${model.name} ${model.version} on ${model.devices.join(", ")}`;
  $("about").replaceChildren(...aboutModel(model, tasks));
  $("about").hidden = false;
  choosing = beginWithSamples().catch(() => {}); // files of the user need no samples
}

// Choose the first matching sample in each tab with one upload that is not optional.
async function beginWithSamples() {
  for (const item of uses.filter((each) => each.uploads.filter((field) => !field.optional).length === 1)) {
    const [field] = item.uploads;
    const [sample, key] = [samples.files.find((each) => showsSample(field, each.type)), `${field.form} 0`];
    if (!sample || chosen[key]) continue;
    const file = await sampleFile(sample);
    chosen[key] ??= { file, sample, type: sample.type, url: URL.createObjectURL(file) };
    if (use.panel) continue; // it has neither samples nor a command
    use.uploads.filter((each) => slot(each) === key).forEach(showFile);
    showSamples();
    showCurl();
  }
}

start();
