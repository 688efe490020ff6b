// Where the growth came from, a bar a group.

const moves = (column) => Object.values(D.groups).some((groups) => groups.some(([, ...pairs]) => (ALONE ? pairs[column][0] : pairs[column][1] !== pairs[column][0])));
const chart = { by: D.usual, column: moves(MAIN) ? MAIN : Math.max(0, D.columns.findIndex((_, at) => moves(at))) };
const LINES = 12;

function growth() {
  choice(byId("by"), Object.keys(D.groups), chart.by, (by) => { chart.by = by; growth(); });
  choice(byId("counter"), D.columns, D.columns[chart.column], (name) => { chart.column = D.columns.indexOf(name); growth(); });
  const lines = D.groups[chart.by].map(([name, ...pairs]) => {
    const [before, after] = pairs[chart.column];
    return { name, before, after, value: ALONE ? before : add(after, negative(before)) };
  });
  lines.sort((one, other) => Math.abs(other.value || 0) - Math.abs(one.value || 0));
  const moved = lines.filter((item) => item.value);
  const unknown = lines.some((item) => item.value === null);
  const shown = moved.slice(0, LINES);
  const rest = lines.filter((item) => !shown.includes(item));
  if (rest.length && (moved.length > LINES)) shown.push(together(moved.slice(LINES), `${count(moved.length - LINES, "other")}`));
  const low = Math.min(0, ...shown.map((item) => item.value || 0));
  const high = Math.max(0, ...shown.map((item) => item.value || 0));
  const [before, after] = D.totals[chart.column] || [null, null];
  const sum = { name: "total", before, after, value: ALONE ? before : add(after, negative(before)) };
  const none = unknown ? "This counter is not known." : !lines.length ? "No mappings are listed." : ALONE ? "There is none." : "None of it changed.";
  byId("chart").replaceChildren(
    ...(shown.length ? shown.map((item) => chartLine(item, low, high)) : [el("p", { className: "counts" }, none)]),
    chartLine(sum, low, high, true));
}

function together(items, name) {
  const sum = (key) => items.reduce((total, item) => add(total, item[key]), 0);
  return { name, before: sum("before"), after: sum("after"), value: sum("value"), several: true };
}

function chartLine(item, low, high, sum = false) {
  const scale = 1000 / Math.max(1, high - low);
  const zero = -low * scale;
  const length = Math.abs(item.value || 0) * scale;
  const colour = chart.by === "kind" && KINDS.includes(item.name) ? paint.kinds.get(item.name)
    : !ALONE ? paint[item.value < 0 ? "down" : "up"]
    : chart.by === "owner" && !item.several ? ownerColour(item.name) : paint.kinds.get("anonymous");
  const bar = sum ? el("span", { className: "bare" }) : svg("svg", { viewBox: "0 0 1000 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: item.value < 0 ? zero - length : zero, y: 3, width: Math.max(length, item.value ? 2 : 0), height: 10, fill: colour }),
    svg("rect", { x: Math.min(zero, 999), y: 0, width: 1, height: 16, fill: "var(--rule)" }));
  const then = ALONE ? share(item) : `${size(item.before)} → ${size(item.after)}`;
  const clickable = !sum && !item.several;
  const made = el(clickable ? "button" : "div", { className: `line${sum ? " sum" : ""}`, ...(clickable ? { type: "button", title: `${item.name}\nClick to look into it` } : {}) },
    el("span", { className: "label" }, item.name), bar,
    el("span", { className: `n ${ALONE ? "" : item.value < 0 ? "down" : item.value ? "up" : ""}` }, atLeast(item.name) ? `${figure(item.value)} +` : figure(item.value)),
    el("span", { className: "n soft" }, then));
  if (clickable) made.addEventListener("click", () => narrowTo(item.name));
  return made;
}

// Of an owner of a set some may not be known, since it could not be split; the terminal marks it so, too.
const atLeast = (name) => chart.by === "owner" && (D.least || []).some(([owner, column]) => owner === name && column === chart.column);

function share(item) {
  const [whole] = D.totals[chart.column];
  return whole ? `${((100 * item.value) / whole).toFixed(1)} %` : "";
}
