// Helpers to build DOM elements. Content from the server or the user is always set as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function bar(probability) {
  const fill = element("i");
  fill.style.width = `${100 * probability}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}

// A part of an answer that calls show(index) when hovered or focused, and show(null) afterwards.
export function pointedAt(text, index, show) {
  const word = element("button", { type: "button", class: "piece" }, text);
  for (const name of ["pointerenter", "focus"]) word.addEventListener(name, () => show(index));
  for (const name of ["pointerleave", "blur"]) word.addEventListener(name, () => show(null));
  return word;
}

// A button that copies text. Browsers provide no clipboard to pages over plain HTTP from another machine.
export function copyButton(label, textOf) {
  const button = element("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(textOf()).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

export const capital = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
export const readable = (label) => label.replaceAll("_", " ");
export const percent = (p) => `${p >= 0.1 || p === 0 ? Math.round(100 * p) : (100 * p).toFixed(1)}%`;
export const milliseconds = (ms) => `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
