// SPDX-License-Identifier: Apache-2.0
// What is wrong with what is shown, for those who see badly, use a keyboard, or have a narrow screen: a list of sentences.
// Contrast as WCAG 2.1 computes it (1.4.3: 4.5, and 3 for large text), names of what can be used (4.1.2), order of the focus (2.4.3),
// no scrolling sideways (1.4.10), icons that can be told from their ground (1.4.11). Runs as the body of a function.
const faults = [];
const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
const root = dialog || document.body;
const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;
const called = (element) => `<${element.tagName.toLowerCase()} class="${element.className}"> “${(element.textContent || "").trim().slice(0, 40)}”`;

const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
function rgba(colour) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return { r, g, b, a: a / 255 };
}
const over = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1 });

/** What a text stands on: the grounds of all it is in, one over the other; null where a picture is among them. */
function ground(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (style.backgroundImage !== "none" && !at.matches("select, .door")) return null;
    const colour = rgba(style.backgroundColor);
    layers.push(colour);
    if (colour.a === 1) break;
    if (at.matches("dialog")) break;
  }
  return layers.reverse().reduce((under, layer) => over(layer, under), rgba("white"));
}
function luminance({ r, g, b }) {
  const [x, y, z] = [r, g, b].map((part) => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}
function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !shown(element) || element.closest(":disabled, .unseen, [aria-hidden=true], svg, option, script, noscript")) continue;
  const style = getComputedStyle(element);
  const under = ground(element);
  if (!under) continue;
  const ratio = contrast(over(rgba(style.color), under), under);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${called(element)}`);
}

const labelOf = (element) => element.getAttribute("aria-label") || [...(element.labels || [])].map((label) => label.textContent).join(" ")
  || (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ")
  || element.textContent || element.title || [...element.querySelectorAll("img")].map((image) => image.alt).join(" ");
const usable = [...root.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter(shown);
for (const element of usable) {
  if (!element.matches("[tabindex='-1']") && !labelOf(element).trim()) faults.push(`no name: ${called(element)}`);
  const icon = element.matches("button, a") && element.querySelector("svg.icon");
  const under = icon && shown(icon) && !element.disabled && ground(element);
  if (under && contrast(over(rgba(getComputedStyle(icon).color), under), under) < 3) faults.push(`an icon that is hard to see: ${called(element)}`);
  if (element.tabIndex > 0) faults.push(`out of order: ${called(element)}`);
  if (element.matches("input:not([type=hidden], [type=checkbox], [type=radio], [type=file])") && contrast(rgba(getComputedStyle(element).borderTopColor), ground(element.parentElement) || rgba("white")) < 3)
    faults.push(`a field that is hard to see: ${called(element)}`);
}
for (const image of root.querySelectorAll("img:not([alt])")) faults.push(`a picture without a word: ${image.src}`);
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of new Set(ids.filter((one, i) => ids.indexOf(one) !== i))) faults.push(`two elements have the id ${id}`);
if (!document.querySelector("h1")) faults.push("no heading");
if (!document.title) faults.push("no title");
if (document.documentElement.scrollWidth > innerWidth + 1) {
  const wide = [...root.querySelectorAll("*")].filter((element) => shown(element) && element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll"));
  faults.push(`wider than the screen: ${wide.slice(0, 3).map(called).join(", ")}`);
}
return faults;
