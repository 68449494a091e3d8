// A button that records with the microphone and passes on the file.

import { element } from "./elements.js";

const LONGEST = 60; // seconds, after which recording ends by itself
const LABEL = "Record";

// Browsers give pages over plain HTTP from another machine no microphone.
export const canRecord = () => Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);

export function recordButton(choose) {
  const button = element("button", { type: "button", class: "quiet", id: "record" }, LABEL);
  const said = element("span", { class: "muted", role: "status" });
  let recorder = null;
  button.addEventListener("click", async () => {
    if (recorder) return recorder.stop();
    said.textContent = "";
    button.disabled = true; // until the user has allowed it
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null);
    button.disabled = false;
    try {
      recorder = record(stream, button, (file) => {
        recorder = null;
        if (file && button.isConnected) choose(file);
      });
    } catch {
      stream?.getTracks().forEach((track) => track.stop());
      said.textContent = "No microphone can be used here";
    }
  });
  return [button, said];
}

// Record until stop() is called, the time is over or the button is no longer on the page; `done` gets the file.
function record(stream, button, done) {
  const [recorder, parts, started] = [new MediaRecorder(stream), [], Date.now()];
  const clock = setInterval(() => {
    const seconds = Math.floor((Date.now() - started) / 1000);
    button.textContent = `Stop (${seconds} s)`;
    if ((seconds >= LONGEST || !button.isConnected) && recorder.state === "recording") recorder.stop();
  }, 250);
  button.textContent = "Stop (0 s)";
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  recorder.addEventListener("stop", () => {
    clearInterval(clock);
    stream.getTracks().forEach((track) => track.stop());
    button.textContent = LABEL;
    const type = recorder.mimeType.split(";")[0] || "audio/webm";
    done(parts.length ? new File(parts, `recording.${type.split("/")[1]}`, { type }) : null);
  });
  recorder.start();
  return recorder;
}
