// What the figures of the page are called: the same words that units.py chooses in Python.

delete document.documentElement.dataset.waiting;
const D = JSON.parse(document.getElementById("data").textContent);
const ALONE = D.match === "alone";
const SIDES = ALONE ? ["after"] : ["before", "after"];
const WHOLE = 600;        // rows up to which all are in the page, for the browser's own search
const PRINTED = 400;      // rows on paper
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const grouped = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

function size(count) {
  if (count === null) return "?";
  if (count < 1024) return count ? `${count} B` : "0";
  let power = Math.min(Math.floor(Math.log2(count) / 10), UNITS.length - 1);
  if (2 ** (10 * power) > count) power -= 1;
  if (power === 2 && count < 10 * 2 ** 20) power = 1;
  let scaled = count / 2 ** (10 * power);
  if (power === 1 && count % 1024 === 0) return `${grouped(String(scaled))} KiB`;
  if (scaled >= 1023.5 && power < UNITS.length - 1) { power += 1; scaled /= 1024; }
  const [whole, part] = scaled.toFixed(scaled >= 99.95 ? 0 : 1).split(".");
  return `${grouped(whole)}${part ? `.${part}` : ""} ${UNITS[power]}`;
}

function signed(count) {
  return count === null ? "?" : count === 0 ? "0" : count > 0 ? `+${size(count)}` : `-${size(-count)}`;
}

function parseSize(text) {
  const found = /^\s*(\d+(?:\.\d+)?)\s*([kmgtpe]?)(?:i?b)?\s*$/i.exec(text);
  return found ? Number(found[1]) * 1024 ** (" kmgtpe".indexOf(found[2].toLowerCase() || " ")) : null;
}

const count = (n, thing) => `${grouped(String(n))} ${n === 1 ? thing : `${thing}s`}`;
const figure = ALONE ? size : signed;
const negative = (value) => (value === null ? null : -value);
const add = (one, other) => (one === null || other === null ? null : one + other);

// ---- elements

function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "role") made[name] = value;
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

const NS = byId("blank").namespaceURI; // no address stands in a report, not even a name that looks like one
function svg(tag, attributes, ...children) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const css = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const text = (at) => D.texts[at];
