// What colour memory has: by its kind, or by its owner. Memory that nobody is known to own has one of its own.

const KINDS = ["heap", "anonymous", "stack", "file", "shared-memory", "image", "device", "kernel", "reserved"];
const NAMED = new Set(["file", "shared-memory", "image", "device", "kernel", "reserved"]); // a path or the kernel says what it is
const WHEEL = ["#3f7bd6", "#d8622a", "#2e9e5b", "#9a63c7", "#c9971a", "#c2527f", "#3a9a94", "#7f8d3d", "#5f6bd0", "#a8713f"];
const NOT_SPLIT = "(not split)";
const UNOWNED = "no known owner";
const OTHERS = "other owners";
const paint = { by: "kind", kinds: new Map(), owners: new Map() };

function colours() {
  paint.kinds = new Map(KINDS.map((kind) => [kind, css(kind)]));
  const held = ([, ...columns]) => Math.max(...columns[MAIN].map((value) => value || 0));
  const names = [...D.groups.owner].sort((one, other) => held(other) - held(one)).map(([name]) => name);
  paint.owners = new Map(names.filter((name) => !name.startsWith("(")).slice(0, WHEEL.length).map((name, at) => [name, WHEEL[at]]));
  for (const name of ["ink", "soft", "rule", "page", "up", "down", "other", "unowned", "rest"]) paint[name] = css(name);
}

// The name in the legend of a group of owners.
function ownerName(group) {
  const kind = /^\((.*)\)$/.exec(group)?.[1];
  if (!kind) return paint.owners.has(group) ? group : OTHERS;
  return group === NOT_SPLIT ? OTHERS : NAMED.has(kind) ? kind : UNOWNED;
}

function ownerColour(group) {
  const name = ownerName(group);
  return name === UNOWNED ? paint.unowned : name === OTHERS ? paint.rest : paint.owners.get(name) || paint.kinds.get(name);
}

// A colour laid thinly on the page, so that text on it stays readable.
function tint(colour, share) {
  const parts = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const page = parts(paint.page);
  return `rgb(${parts(colour).map((value, at) => Math.round(value * share + page[at] * (1 - share))).join(" ")})`;
}
