// The tab that searches the index of pictures, and adds pictures to it.

import { element, percent } from "./elements.js";
import { framed } from "./inputs.js";
import { overlay } from "./outputs/boxes.js";
import { outlines } from "./outputs/scene.js";
import { showBusy, showError } from "./render.js";

export const searchTab = { tab: "search", title: "Search pictures", panel: "search-panel", uploads: [], values: [] };

const $ = (id) => document.getElementById(id);
const here = new URL(".", location.href);
const LIMIT = 24; // hits
const SEEN_TWICE = 24; // hits that the second stage sees
const UNREACHABLE = { code: "unreachable", message: "the server could not be reached; is it still running?" };

let model = { grounds: false }; // what the served model can do for a hit
let example = null; // the picture to search by, with its name
let searching = null;

// Begin once; `tasks` are those of the served model.
export function beginSearch(tasks) {
  const names = tasks.map((task) => task.name);
  model = { grounds: names.includes("ground") };
  $("search-twice").parentElement.hidden = !names.includes("match");
  $("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("search-text").addEventListener("input", () => use(null));
  $("search-image").addEventListener("change", ({ target }) => target.files.length && searchLike(target.files[0], target.files[0].name));
  $("add-files").addEventListener("change", ({ target }) => add([...target.files]));
  $("add-area").addEventListener("drop", (event) => add([...event.dataTransfer.files]));
}

// ---- requests

async function ask(path, options) {
  try {
    const response = await fetch(new URL(path, here), options);
    if (response.status === 204) return {};
    return response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : { blob: await response.blob() };
  } catch (error) {
    return { error: UNREACHABLE, isAborted: error.name === "AbortError" };
  }
}

const post = (path, fields, signal) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value);
  return ask(path, { method: "POST", body: form, signal });
};

// Say how many pictures there are; asked for when the tab is opened, since the first question starts the index.
export async function showCount() {
  const { count, error } = await ask("index");
  if (!error) $("indexed").textContent = count === 1 ? "One picture in the index" : `${count.toLocaleString("en")} pictures in the index`;
}

// ---- adding

async function add(files) {
  const [text, lines] = [$("add-text").value.trim(), []];
  for (const [i, file] of files.entries()) {
    $("added").textContent = `Adding ${i + 1} of ${files.length}…`;
    const reply = await post("index", { image: file, source: file.name, text });
    if (reply.error) lines.push(`${file.name}: ${reply.error.message}`);
  }
  const count = files.length - lines.length;
  $("added").replaceChildren(`Added ${count} of ${files.length}.`, ...lines.map((line) => element("span", { class: "failed" }, line)));
  $("add-files").value = "";
  showCount();
}

// ---- searching

// Search by a picture in place of the text; null goes back to the text.
function use(picture) {
  example = picture;
  $("search-like").textContent = picture ? `Like ${picture.name}` : "";
}

function searchLike(blob, name) {
  $("search-text").value = "";
  use({ blob, name });
  search();
}

async function search() {
  searching?.abort();
  const control = (searching = new AbortController());
  const text = $("search-text").value.trim();
  const twice = text && $("search-twice").checked;
  const fields = {
    text, image: example?.blob, limit: LIMIT, rerank: twice ? SEEN_TWICE : 0,
    entity: $("search-entity").value.trim(), contains: $("search-contains").value.trim(), filter: $("search-filter").value.trim(),
  };
  $("found").replaceChildren(...showBusy());
  const reply = await post("search", fields, control.signal);
  if (control.signal.aborted) return;
  if (reply.error) return $("found").replaceChildren(...showError(reply.error));
  const words = wordsOf(`${text} ${fields.entity} ${fields.contains}`);
  $("found").replaceChildren(reply.hits.length
    ? element("ol", { class: "hits" }, ...reply.hits.map((hit) => shownHit(hit, words, text)))
    : element("p", { class: "empty" }, "Nothing found."));
}

// ---- hits

const wordsOf = (text) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? []);

function shownHit(hit, words, text) {
  const address = `index/${encodeURIComponent(hit.id)}`;
  const picture = framed(element("img", { src: new URL(`${address}/thumbnail`, here), alt: hit.caption || hit.source || hit.id, loading: "lazy" }));
  if (hit.found.length) picture.append(outlines(hit.found.map(({ corners }) => corners)));
  const item = element("li", {}, picture);
  const lines = [hit.caption, hit.text, hit.source].filter(Boolean).map((line, i) => element("p", i ? { class: "muted" } : {}, ...marked(line, words)));
  item.append(...lines, element("small", {}, scoresOf(hit)), element("div", { class: "actions" },
    ...(model.grounds && text ? [action("Where?", () => showPlace(picture, address, text))] : []),
    action("More like this", () => searchLikeHit(address, hit)),
    action("Remove", () => remove(item, address))));
  return item;
}

function scoresOf({ score, rerank_score: second, found }) {
  const written = found.map(({ text, probability }) => `${text} ${percent(probability)}`).join(", ");
  const parts = [written && `written: ${written}`, score === null ? "" : `similarity ${score.toFixed(3)}`, second === null ? "" : `match ${second.toFixed(2)}`];
  return parts.filter(Boolean).join(", ");
}

function action(label, run) {
  const button = element("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", run);
  return button;
}

// A text in which the words of the search are marked: why it was found.
function marked(line, words) {
  return line.split(/([\p{L}\p{N}]+)/u).map((part) => (words.has(part.toLowerCase()) ? element("mark", {}, part) : part));
}

// Draw boxes around what the text names.
async function showPlace(picture, address, phrase) {
  const { blob } = await ask(`${address}/thumbnail`);
  const reply = await post("ground", { image: blob, phrase });
  picture.querySelector(".boxes, .note")?.remove();
  const best = { ...reply, boxes: reply.boxes?.slice(0, 1) };
  picture.append(best.boxes?.length ? overlay(best) : element("p", { class: "note" }, reply.error?.message ?? "No place stands out."));
}

async function searchLikeHit(address, hit) {
  const { blob, error } = await ask(`${address}/thumbnail`);
  if (error) return $("found").replaceChildren(...showError(error));
  searchLike(blob, hit.source || hit.caption || hit.id);
}

async function remove(item, address) {
  const { error } = await ask(address, { method: "DELETE" });
  if (error) return item.append(...showError(error));
  item.remove();
  showCount();
}
