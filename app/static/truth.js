// What a sample really shows, beside the answer of the model.

import { element } from "./elements.js";

// The verdict on an answer: Right, Partly right or Wrong; undefined for an answer that nobody has judged.
function verdictOn(answer, truth) {
  const given = answer.toLowerCase();
  const named = (answers) => answers?.some((each) => each.toLowerCase() === given);
  if (named(truth.right)) return "Right";
  if (named(truth.partly)) return "Partly right";
  return !truth.wrong || named(truth.wrong) ? "Wrong" : undefined; // without a list of wrong answers all others are wrong
}

// A line below an answer about a sample, or nothing: the truth is known for the questions that come with the samples.
export function truthLine(reply, sample, texts) {
  const key = Object.keys(sample?.truths ?? {}).find((each) => each in reply);
  const asked = Object.entries(texts).every(([role, text]) => text === sample?.texts[role]);
  if (!key || !asked) return "";
  const truth = sample.truths[key];
  const verdict = verdictOn(reply[key], truth);
  const mark = verdict ? [element("strong", {}, verdict), ". "] : [];
  return element("p", { class: `truth ${verdict?.toLowerCase().replace(" ", "-") ?? ""}` }, ...mark, `What is there: ${truth.is.replace(/\.$/, "")}.`);
}
