// Attention weights: a heat map over a photo, a strip of a clip's frames, and the words of a question.

import { bar, element } from "./elements.js";

const HEAT = "255, 96, 0";
const THUMB = 240; // pixels of a still's width; it is shown in about half of that

// The part of a picture that the grid of cells covers: [left, top, width, height] as fractions of the picture.
export function covered({ treatment, share, window: place }, width, height) {
  const start = (length) => (place === "corner" ? 0 : (1 - length) / 2);
  if (treatment === "squash") return [start(share), start(share), share, share];
  if (treatment === "crop") {
    const side = Math.min(width, height) * share;
    return [start(side / width), start(side / height), side / width, side / height];
  }
  const padded = Math.max(width, height);
  const from = (length) => ((length - padded) / 2 + start(share) * padded) / length;
  return [from(width), from(height), (padded * share) / width, (padded * share) / height];
}

// Paint weights of cells (rows of columns) on a canvas over a picture; weight `most` has full intensity.
function paint(canvas, cells, most, area) {
  const small = document.createElement("canvas");
  [small.height, small.width] = [cells.length, cells[0]?.length ?? 0];
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!small.width) return;
  const dots = small.getContext("2d");
  cells.forEach((row, y) => row.forEach((weight, x) => {
    dots.fillStyle = `rgba(${HEAT}, ${0.75 * Math.min(1, weight / most)})`;
    dots.fillRect(x, y, 1, 1);
  }));
  pen.imageSmoothingQuality = "high";
  const [left, top, width, height] = area;
  pen.drawImage(small, left * canvas.width, top * canvas.height, width * canvas.width, height * canvas.height);
}

const most = (numbers) => Math.max(1e-9, ...numbers.flat(Infinity));

// The element of the preview, or null if the preview shows another file than the answer's by now.
function shown(preview, kind, url) {
  const view = preview.querySelector(kind);
  return view?.src === url ? view : null;
}

// Heat maps over the photo in the preview and over a copy beside the answer, for narrow screens. Returns the copy and
// a function that shows the weights of a token by its index; null hides them.
export function overPicture(explanation, preview, url) {
  const beside = element("div", { class: "beside" }, element("img", { src: url ?? "", alt: "" }));
  const show = (index) => [preview, beside].forEach((holder) => {
    holder.querySelector(".heat")?.remove();
    const picture = shown(holder, "img", url);
    if (index !== null && picture?.clientWidth) picture.after(heatOver(picture, explanation, index));
  });
  return [beside, show];
}

function heatOver(picture, explanation, index) {
  const canvas = element("canvas", { class: "heat", "aria-hidden": "true" });
  Object.assign(canvas, { width: picture.clientWidth, height: picture.clientHeight });
  canvas.style.left = `${picture.offsetLeft}px`;
  canvas.style.top = `${picture.offsetTop}px`;
  const area = covered(explanation.framing, picture.naturalWidth, picture.naturalHeight);
  paint(canvas, explanation.tokens[index].cells[0], most(explanation.tokens[index].cells), area);
  return canvas;
}

// A strip of the sampled frames with their weights; a click on a frame seeks the player to its time. Returns the strip
// and a function that shows the weights of a token by its index; null shows the mean over all tokens.
export function filmStrip(explanation, preview, url) {
  const frames = explanation.times.map((time) => {
    const [still, heat, weight] = [element("canvas"), element("canvas", { class: "heat" }), bar(0)];
    const button = element("button", { type: "button", "aria-label": `Go to second ${time.toFixed(1)}` },
      element("span", {}, still, heat), weight, element("small", { "aria-hidden": "true" }, `${time.toFixed(1)} s`));
    button.addEventListener("click", () => Object.assign(shown(preview, "video", url) ?? {}, { currentTime: time }));
    return { button, still, heat, weight };
  });
  drawStills(frames, explanation.times, url);
  function show(index) {
    markMoments(explanation.times, shown(preview, "video", url));
    const tokens = index === null ? explanation.tokens : [explanation.tokens[index]];
    const weights = explanation.times.map((_, i) => tokens.reduce((sum, token) => sum + token.frames[i], 0) / tokens.length);
    const [heaviest, hottest] = [most(weights), most(tokens.map((token) => token.cells))];
    frames.forEach(({ button, heat, weight }, i) => {
      weight.firstChild.style.width = `${(100 * weights[i]) / heaviest}%`;
      button.title = `${(100 * weights[i]).toFixed(1)}% of its attention`;
      Object.assign(heat, { width: heat.clientWidth, height: heat.clientHeight });
      const { width, height } = frames[i].still;
      if (tokens.length === 1) paint(heat, tokens[0].cells[i], hottest, covered(explanation.framing, width, height));
    });
  }
  const strip = element("div", { class: "strip", role: "group", "aria-label": "Frames that the model looked at" },
    ...frames.map(({ button }) => button));
  return [strip, show];
}

// Draw the stills of the strip; they stay empty if the browser cannot decode the clip.
async function drawStills(frames, times, url) {
  const video = Object.assign(document.createElement("video"), { src: url, muted: true, preload: "auto" });
  const next = (name) => new Promise((done, failed) => {
    video.addEventListener(name, done, { once: true });
    video.addEventListener("error", failed, { once: true });
  });
  try {
    await next("loadeddata");
    for (const [i, { still }] of frames.entries()) {
      const arrived = next("seeked");
      video.currentTime = times[i];
      await arrived;
      Object.assign(still, { width: THUMB, height: (THUMB * video.videoHeight) / video.videoWidth });
      still.getContext("2d").drawImage(video, 0, 0, still.width, still.height);
    }
  } catch {
    video.removeAttribute("src");
  }
}

// Mark the times of the sampled frames below the player.
function markMoments(times, player) {
  if (!player || player.nextElementSibling?.className === "moments") return;
  const line = element("div", { class: "moments", "aria-hidden": "true" }, ...times.map(() => element("i")));
  player.after(line);
  const place = () => {
    line.style.width = `${player.clientWidth}px`;
    [...line.children].forEach((mark, i) => (mark.style.left = `${Math.min(100, (100 * times[i]) / player.duration)}%`));
  };
  if (player.duration) place();
  else player.addEventListener("loadedmetadata", place);
}

// A list of the question's words with their weights.
export function wordsRead(explanation) {
  const weights = explanation.tokens[0].words;
  const heaviest = most(weights);
  const rows = explanation.words.map((word, i) => element("li", {},
    element("span", {}, word.trim() || "(end)"), bar(weights[i] / heaviest), element("small", {}, `${(100 * weights[i]).toFixed(1)}%`)));
  return [element("h3", {}, "How much it read each word"), element("ol", { class: "pieces" }, ...rows)];
}
