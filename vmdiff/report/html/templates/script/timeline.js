// A stacked area over time, to scale, and what changed between its two marks.

const AREAS = 12;      // with a colour of their own; the last is for all that is left
const HEIGHT = 320, TOP = 22, BOTTOM = 24, LEFT = 64;
const SHOWN = 40;      // rows of mappings
const CROWD = 4;       // mappings alike that are one row
const time = { by: "owner", from: 0, to: D.times.length - 1, columns: null, stacks: [], only: null };

// ---- the figures

async function unpack() {
  const text = atob(byId("packed").textContent.trim());
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const found = await new Response(plain).json();
  found.total = added(found.total);
  for (const columns of Object.values(found.groups)) columns.forEach((column, at) => { columns[at] = added(column); });
  found.mappings = found.mappings.map(([name, values, sizes]) => ({ name, values: added(values), sizes: added(sizes) }));
  return found;
}

function added(steps) {
  let last = 0;
  return steps.map((step) => { if (step === null) return null; last += step; return last; });
}

// What leaks lies at the bottom, where its growth is seen against a straight line; then the largest.
function stacks() {
  const columns = time.columns.groups[time.by] || [];
  const named = (D.groups[time.by] || []).map(([name, verdict, rate, why], at) => ({ name, verdict, rate, why, values: columns[at] }));
  const most = (item) => item.values.reduce((high, value) => Math.max(high, value || 0), 0);
  const leaks = named.filter((item) => item.verdict === "leak").sort((one, other) => (other.rate || 0) - (one.rate || 0));
  const others = named.filter((item) => item.verdict !== "leak").sort((one, other) => most(other) - most(one));
  const kept = [...leaks, ...others].slice(0, AREAS - 1);
  const rest = time.columns.total.map((value, at) => {
    const sum = kept.reduce((total, item) => add(total, item.values[at]), 0);
    return value === null || sum === null ? null : value - sum;
  });
  if (rest.some((value) => value)) kept.push({ name: `${count(named.length - (AREAS - 1) > 0 ? named.length - (AREAS - 1) : 1, "other")}`, verdict: "", rate: null, why: "", values: rest });
  return kept.map((item, at) => ({ ...item, colour: item.verdict === "" ? AREAS - 1 : at }));
}

// ---- words of time

function moment(at) {
  const seconds = D.times[at];
  if (D.start === null) return `point ${at}`;
  const day = D.times[D.times.length - 1] >= 86400;
  const iso = new Date((D.start + seconds) * 1000).toISOString();
  return day ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(11, 19);
}

function rate(value) {
  if (!value) return "";
  const hourly = value * 3600;
  return Math.abs(hourly) >= 2 ** 20 ? `${signed(Math.round(hourly))}/h` : `${signed(Math.round(hourly * 24))}/day`;
}

// ---- the picture

function scales(width) {
  const end = D.times[D.times.length - 1] || 1;
  const shown = time.stacks.filter((item) => time.only === null || item.name === time.only);
  const sums = D.times.map((_, at) => shown.reduce((total, item) => total + (item.values[at] || 0), 0));
  const high = Math.max(1, ...sums);
  return {
    shown, high,
    x: (at) => LEFT + (D.times[at] / end) * (width - LEFT - 8),
    y: (value) => HEIGHT - BOTTOM - (value / high) * (HEIGHT - TOP - BOTTOM),
  };
}

function paint() {
  const box = byId("picture");
  const width = Math.max(280, box.clientWidth);
  const scale = scales(width);
  const parts = [...axes(scale, width), ...areas(scale), ...cuts(scale), ...marks(scale)];
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": spoken() }, ...parts);
  picture.addEventListener("pointerdown", (event) => brush(event, picture, width));
  picture.addEventListener("pointermove", (event) => look(place(event, picture, width), scale));
  picture.addEventListener("pointerleave", () => { byId("seen").textContent = ""; });
  box.replaceChildren(picture);
}

function spoken() {
  return `${D.counter} by ${time.by} over time: ${time.stacks.map((item) => `${item.name} ${item.verdict}`).join(", ")}`;
}

function axes(scale, width) {
  const step = 2 ** Math.ceil(Math.log2(scale.high / 5));
  const parts = [];
  for (let value = 0; value <= scale.high; value += step) {
    const y = scale.y(value);
    parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - 8, y1: y, y2: y }), svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, size(value)));
  }
  const wanted = Math.max(2, Math.floor((width - LEFT) / 120));
  for (let at = 0; at < wanted; at += 1) {
    const point = nearest((D.times[D.times.length - 1] || 0) * at / (wanted - 1));
    const anchor = at === 0 ? "start" : at === wanted - 1 ? "end" : "middle";
    parts.push(svg("text", { x: scale.x(point), y: HEIGHT - 6, "text-anchor": anchor }, moment(point)));
  }
  return parts;
}

function areas(scale) {
  const base = D.times.map(() => 0);
  const names = [];
  const drawn = scale.shown.map((item) => {
    const under = base.slice();
    item.values.forEach((value, at) => { base[at] += value || 0; });
    const up = base.map((value, at) => `${scale.x(at).toFixed(1)},${scale.y(value).toFixed(1)}`);
    const down = under.map((value, at) => `${scale.x(at).toFixed(1)},${scale.y(value).toFixed(1)}`).reverse();
    const last = D.times.length - 1;
    const thick = scale.y(under[last]) - scale.y(base[last]);
    if (thick > 15) {
      const words = item.verdict === "leak" ? `${item.name} ${rate(item.rate)}` : item.name;
      names.push(svg("text", { class: "named", x: scale.x(last) - 8, y: scale.y((under[last] + base[last]) / 2) + 4, "text-anchor": "end" }, words));
    }
    return svg("polygon", { class: `a${item.colour}`, points: [...up, ...down].join(" ") }, svg("title", {}, `${item.name}: ${item.verdict} ${item.why}`));
  });
  return [...drawn, ...names];
}

function cuts(scale) {
  return D.cuts.filter((at) => at < D.times.length).map((at) => svg("line", { class: "cut", x1: scale.x(at), x2: scale.x(at), y1: TOP, y2: HEIGHT - BOTTOM }, svg("title", {}, "the process was restarted here")));
}

function marks(scale) {
  const low = scale.x(Math.min(time.from, time.to)), high = scale.x(Math.max(time.from, time.to));
  const flag = (at, letter) => [
    svg("line", { class: "mark", x1: scale.x(at), x2: scale.x(at), y1: 4, y2: HEIGHT - BOTTOM }),
    svg("circle", { class: "flag", cx: scale.x(at), cy: 9, r: 8 }),
    svg("text", { class: "letter", x: scale.x(at), y: 13 }, letter),
  ];
  return [svg("rect", { class: "range", x: low, y: TOP, width: Math.max(0, high - low), height: HEIGHT - TOP - BOTTOM }), ...flag(time.from, "1"), ...flag(time.to, "2")];
}

// ---- the marks

function nearest(seconds) {
  let low = 0, high = D.times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (D.times[middle] < seconds) low = middle + 1; else high = middle;
  }
  return low > 0 && seconds - D.times[low - 1] < D.times[low] - seconds ? low - 1 : low;
}

function place(event, picture, width) {
  const box = picture.getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width * width - LEFT) / (width - LEFT - 8);
  return nearest(Math.min(1, Math.max(0, share)) * (D.times[D.times.length - 1] || 0));
}

function brush(event, picture, width) {
  if (event.button !== 0) return;
  event.preventDefault();
  const start = place(event, picture, width);
  let moved = false;
  const move = (later) => {
    const at = place(later, byId("picture").firstChild, width);
    if (at !== start) moved = true;
    if (moved) mark(Math.min(start, at), Math.max(start, at));
  };
  const end = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    if (!moved) mark(...(Math.abs(start - time.from) <= Math.abs(start - time.to) ? [start, time.to] : [time.from, start]));
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
}

function look(at, scale) {
  const told = scale.shown.map((item) => `${item.name} ${size(item.values[at])}`);
  byId("seen").textContent = `${moment(at)}: ${size(time.columns.total[at])}; ${told.slice(0, 5).join(", ")}`;
}

function mark(from, to) {
  time.from = from; time.to = to;
  byId("from").value = from; byId("to").value = to;
  const words = (at) => `${moment(at)} · ${size(time.columns.total[at])}`;
  byId("from-at").textContent = words(from); byId("to-at").textContent = words(to);
  for (const [id, at] of [["from", from], ["to", to]]) byId(id).setAttribute("aria-valuetext", words(at));
  paint();
  legend();
  changed();
}

// ---- the tables

const cell = (text, more = "") => el("td", { className: `n ${more}` }, text);
const tone = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");
const change = (values) => add(values[time.to], negative(values[time.from]));

function legend() {
  const heads = ["", "verdict", "rate", "at 1", "at 2", "change"];
  const row = (item) => {
    const box = svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `a${item.colour}`, width: 10, height: 10, rx: 2 }));
    const button = el("button", { type: "button", "aria-pressed": String(time.only === item.name), title: "Show this alone" }, box, item.name);
    button.addEventListener("click", () => { time.only = time.only === item.name ? null : item.name; paint(); legend(); });
    const moved = change(item.values);
    return el("tr", { className: item.verdict }, el("td", {}, button), el("td", { className: "verdict", title: item.why }, item.verdict), cell(rate(item.rate)),
      cell(size(item.values[time.from]), "narrow"), cell(size(item.values[time.to]), "narrow"), cell(signed(moved), tone(moved)));
  };
  const whole = change(time.columns.total);
  const total = el("tr", { className: "whole" }, el("td", {}, D.whole), el("td", {}, ""), cell(""), cell(size(time.columns.total[time.from]), "narrow"), cell(size(time.columns.total[time.to]), "narrow"), cell(signed(whole), tone(whole)));
  const held = byId("groups").contains(document.activeElement) ? document.activeElement.textContent : null;
  byId("groups-title").textContent = `By ${time.by}`;
  const head = el("tr", {}, ...heads.map((name, at) => el("th", { scope: "col", className: at > 1 ? `n${name.startsWith("at ") ? " narrow" : ""}` : "" }, name)));
  byId("groups").querySelector(".wide").replaceChildren(el("table", { className: "plain" }, el("thead", {}, head), el("tbody", {}, ...time.stacks.map(row), total)));
  const hidden = byId("groups").querySelector(".counts");
  if (hidden) hidden.remove();
  if (held !== null) [...byId("groups").querySelectorAll("button")].filter((button) => button.textContent === held).forEach((button) => button.focus());
}

// Many mappings of one owner or object that moved in the same direction are one row.
function folded(moved) {
  const crowds = new Map();
  for (const one of moved) {
    const key = `${one.name.replace(/^[0-9a-f]+ /, "")} ${Math.sign(one.delta || one.grown || 0)}`;
    crowds.set(key, [...(crowds.get(key) || []), one]);
  }
  const sum = (crowd, key) => crowd.reduce((total, one) => add(total, one[key]), 0);
  return [...crowds.values()].flatMap((crowd) => crowd.length < CROWD ? crowd : [{
    name: `${count(crowd.length, "mapping")} × ${crowd[0].name.replace(/^[0-9a-f]+ /, "")}`.replace(/ mappings ×/, " ×"),
    was: sum(crowd, "was"), is: sum(crowd, "is"), delta: sum(crowd, "delta"), grown: sum(crowd, "grown"),
  }]);
}

function changed() {
  const moved = time.columns.mappings
    .map(({ name, values, sizes }) => ({ name, was: values[time.from], is: values[time.to], delta: change(values), grown: change(sizes) }))
    .filter(({ delta, grown }) => delta || grown);
  const rows = folded(moved).sort((one, other) => Math.abs(other.delta || 0) - Math.abs(one.delta || 0) || Math.abs(other.grown || 0) - Math.abs(one.grown || 0));
  const row = ({ name, was, is, delta, grown }) => el("tr", {}, el("td", { className: "mono" }, name), cell(size(was), "narrow"), cell(size(is)), cell(signed(delta), tone(delta)), cell(signed(grown), "narrow"));
  const rest = rows.slice(SHOWN);
  const sum = (key) => rest.reduce((total, one) => add(total, one[key]), 0);
  const more = rest.length ? [el("tr", {}, el("td", {}, `${count(rest.length, "more row")}`), cell("", "narrow"), cell(""), cell(signed(sum("delta"))), cell(signed(sum("grown")), "narrow"))] : [];
  const heads = ["", "at 1", "at 2", D.counter === "rss" ? "resident" : D.counter, "virtual"];
  const head = el("tr", {}, ...heads.map((name, at) => el("th", { scope: "col", className: at ? `n${at === 1 || at === 4 ? " narrow" : ""}` : "" }, name)));
  byId("changed").replaceChildren(rows.length
    ? el("table", { className: "plain" }, el("thead", {}, head), el("tbody", {}, ...rows.slice(0, SHOWN).map(row), ...more))
    : el("p", { className: "counts" }, "None of them changed."));
}

function choices() {
  const box = byId("by");
  box.replaceChildren(...Object.keys(D.groups).map((name) => {
    const button = el("button", { type: "button", "aria-pressed": String(name === time.by) }, name);
    button.addEventListener("click", () => { time.by = name; time.only = null; begin(); box.querySelector('[aria-pressed="true"]').focus(); });
    return button;
  }));
}

// ---- the beginning of it all

function begin() {
  choices();
  time.stacks = stacks();
  mark(time.from, time.to);
}

darkButton(() => {});  // all its colours are the style sheet's
if (D.times.length > 1) unpack().then((columns) => {
  time.columns = columns;
  if (!(time.by in D.groups)) time.by = Object.keys(D.groups)[0];
  byId("timeline").hidden = false;
  byId("between").hidden = !time.columns.mappings.length;  // of a set there are none
  byId("timeline-title").textContent = ({ rss: "Resident memory", pss: "Proportional share of resident memory (PSS)" })[D.counter] || D.counter;
  for (const id of ["from", "to"]) {
    byId(id).max = D.times.length - 1;
    byId(id).addEventListener("input", () => mark(Number(byId("from").value), Number(byId("to").value)));
  }
  begin();
  addEventListener("resize", paint);
  root.dataset.ready = "yes";
});
