// The address space painted, and what it answers to mouse and keyboard.

const BAR = { both: [0, 28], one: [0] };

function paintStrip(strip) {
  const width = strip.canvas.clientWidth;
  if (!width) return;
  if (strip.width !== width) layout(strip, width);
  const ratio = Math.max(devicePixelRatio || 1, onPaper ? 2 : 1);
  strip.canvas.width = Math.round(width * ratio);
  strip.canvas.height = Math.round(strip.height * ratio);
  strip.canvas.style.height = `${strip.height}px`;
  const pen = strip.canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.clearRect(0, 0, width, strip.height);
  pen.font = "11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  pen.fillStyle = paint.soft;
  for (const label of strip.labels) {
    const fits = Math.max(0, Math.min(label.x, width - pen.measureText(label.text).width));
    pen.fillText(label.text, fits, label.row * strip.step + 12);
  }
  pen.font = "12px system-ui, sans-serif";
  if (strip.left) {
    for (let row = 0; row < strip.lines; row += 1) {
      pen.fillText("before", 0, row * strip.step + 18 + 15);
      pen.fillText("after", 0, row * strip.step + 18 + 43);
    }
  }
  // What changed is painted last, so that it is seen among thousands that did not.
  for (const changed of [false, true]) {
    for (const atom of strip.hits) if (atom.changed === changed) paintAtom(pen, strip, atom);
  }
  frame(strip);
}

function paintAtom(pen, strip, atom) {
  const offsets = strip.which.length > 1 ? BAR.both : BAR.one;
  const height = strip.which.length > 1 ? 22 : 26;
  const least = atom.changed ? 1 : 0.4;
  const wide = atom.w > 4;
  const snap = (x) => (wide ? Math.round(x) : x); // else a seam shows where one mapping is drawn in two
  const left = snap(atom.x);
  const width = (place) => Math.max(snap(atom.x + atom.w) - left - (wide && !atom.goesOn[place] ? 1 : 0), least);
  strip.which.forEach((side, place) => {
    const at = atom.at[place];
    if (at < 0) return;
    const mappings = D.sides[side];
    const y = atom.y + offsets[place];
    const held = mappings.size[at] ? mappings.rss[at] / mappings.size[at] : 0;
    const w = width(place);
    for (const [from, to, colour] of stretches(side, at, atom.from, atom.bytes)) {
      pen.fillStyle = colour;
      pen.globalAlpha = mappings.rss[at] === null ? 0.75 : 0.3;
      pen.fillRect(left + from * w, y, (to - from) * w, height);
      pen.globalAlpha = 1;
      if (held > 0) {
        const filled = Math.max(2, Math.min(1, held) * height);
        pen.fillRect(left + from * w, y + height - filled, (to - from) * w, filled);
      }
    }
  });
  if (atom.changed) {
    const moved = atom.row.figures[MAIN] || atom.row.figures[0] || 0;
    pen.fillStyle = moved > 0 ? paint.up : moved < 0 ? paint.down : paint.other;
    const y = strip.which.length > 1 ? atom.y + 23.5 : atom.y + 28;
    pen.fillRect(left, y, Math.max(width(atom.at.length - 1), 1.5), 3);
  }
}

// Painting thousands of mappings again for each move of the mouse would lag behind it.
function point(strip, at) {
  strip.hot = at;
  const row = strip.hits[at]?.row;
  for (const other of strips) {
    if (other !== strip) other.hot = row ? other.hits.findIndex((atom) => atom.row === row) : -1;
    frame(other);
  }
}

function frame(strip) {
  const atom = strip.hits[strip.hot];
  strip.frame.hidden = !atom;
  if (!atom) return;
  const box = { left: atom.x - 2, top: atom.y - 3, width: Math.max(atom.w, 2) + 3, height: strip.bars + 6 };
  for (const [side, pixels] of Object.entries(box)) strip.frame.style[side] = `${pixels}px`;
}

function hit(strip, x, y) {
  let best = -1;
  let near = 4;
  strip.hits.forEach((atom, at) => {
    if (y < atom.y - 6 || y > atom.y + strip.bars + 8) return;
    const away = x < atom.x ? atom.x - x : x > atom.x + atom.w ? x - atom.x - atom.w : 0;
    const rank = away - (atom.changed ? 0.5 : 0);
    if (away <= 3 && rank < near) { near = rank; best = at; }
  });
  return best;
}

function hover(strip, event) {
  const box = strip.canvas.getBoundingClientRect();
  const at = hit(strip, event.clientX - box.left, event.clientY - box.top);
  if (at !== strip.hot) point(strip, at);
  if (at < 0) { byId("tip").hidden = true; return; }
  tip(describe(strip, strip.hits[at]), event.clientX, event.clientY);
}

function leave(strip) {
  byId("tip").hidden = true;
  point(strip, -1);
}

function describe(strip, atom) {
  const lines = [];
  const places = strip.which.map((side, place) => [side, atom.at[place]]).filter(([, at]) => at >= 0);
  const [side, at] = places[places.length - 1];
  const mappings = D.sides[side];
  const owner = mappings.owner[at] === mappings.title[at] ? "" : text(mappings.owner[at]);
  lines.push(text(mappings.title[at]));
  lines.push([text(mappings.kind[at]), owner, text(mappings.perms[at]), mappings.where[at]].filter(Boolean).join(" · "));
  for (const which of SIDES.keys()) {
    const found = atom.row ? (which === SIDES.length - 1 ? atom.row.after : atom.row.before)
      : places.filter(([place]) => place === which).map(([, where]) => where);
    const name = ALONE ? "" : `${SIDES[which]}: `;
    if (found.length) lines.push(`${name}${size(sizeOf(which, found))}, ${size(residentOf(which, found))} resident`);
  }
  if (!ALONE) lines.push(atom.row ? `${atom.row.word}${atom.row.note ? `, ${atom.row.note}` : ""}` : "unchanged");
  return lines;
}

function openAtom(strip) {
  const atom = strip.hits[strip.hot];
  if (!atom) return;
  const side = strip.which.findLast((_, place) => atom.at[place] >= 0);
  const why = text(D.sides[side].why[atom.at[strip.which.indexOf(side)]]);
  byId("seen").textContent = [...describe(strip, atom), why].filter(Boolean).join(" · ");
  if (atom.row) showRow(atom.row);
}

function stripKey(strip, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (event.key === "Enter" && strip.hot >= 0) { event.preventDefault(); openAtom(strip); return; }
  if (!step || !strip.hits.length) return;
  event.preventDefault();
  const from = strip.hot < 0 ? (step > 0 ? -1 : strip.hits.length) : strip.hot;
  const current = strip.hits[strip.hot]?.row;
  for (let at = from + step; at >= 0 && at < strip.hits.length; at += step) {
    if (ALONE || (strip.hits[at].changed && strip.hits[at].row !== current)) {
      point(strip, at);
      byId("seen").textContent = describe(strip, strip.hits[at]).join(" · ");
      return;
    }
  }
}

function showRow(row) {
  if (!matched.includes(row)) byId("filters").reset();
  if (row.parent >= 0) view.open.add(row.parent);
  view.detail = row.at;
  read();
  const at = entries.findIndex((entry) => entry.row === row);
  focusRow(at);
}

function legend() {
  const names = paint.by === "kind"
    ? KINDS.filter((kind) => D.groups.kind.some(([name]) => name === kind)).map((kind) => [kind, paint.kinds.get(kind)])
    : [...new Map(D.groups.owner.map(([name]) => [ownerName(name), ownerColour(name)]))];
  const buttons = names.map(([name, colour]) => {
    const changed = LEAVES.some((row) => (paint.by === "kind" ? row.kind === name : row.owners.has(name)));
    const button = el("button", { type: "button", disabled: !changed, "aria-pressed": String(view[paint.by] === name) },
      svg("svg", { width: 10, height: 10, "aria-hidden": "true" }, svg("rect", { width: 10, height: 10, rx: 2, fill: colour })), name);
    button.addEventListener("click", () => filterBy(paint.by, name));
    return button;
  });
  const marks = [["up", "grew"], ["down", "shrank"], ["other", "other change"]].map(([name, word]) => el("span", {},
    svg("svg", { width: 14, height: 10, "aria-hidden": "true" }, svg("rect", { y: 4, width: 14, height: 3, fill: `var(--${name})` })), word));
  const note = "Solid is resident, pale is not. Small mappings are drawn larger than they are; empty space is left out.";
  byId("legend").replaceChildren(...buttons, ...(ALONE ? [] : marks), el("span", { className: "note" }, note));
}

function space() {
  const name = "The address space, from low to high addresses";
  const shared = D.match === "address" && D.sides.every((side) => side.where.every(Boolean));
  const shown = D.sides.some((side) => side.size.length);
  byId("map").hidden = !shown;
  document.querySelector("nav a[href='#map']").hidden = !shown;
  if (!shown) return;
  const parts = ALONE ? [makeStrip([0], name)]
    : shared ? [makeStrip([0, 1], `${name}, before above after`)]
    : SIDES.flatMap((side, at) => [el("h3", {}, side), makeStrip([at], `${name}, ${side}`)]);
  byId("strips").replaceChildren(...parts);
  for (const button of document.querySelectorAll("[data-colour]")) {
    button.addEventListener("click", () => {
      paint.by = button.dataset.colour;
      for (const other of document.querySelectorAll("[data-colour]")) other.setAttribute("aria-pressed", String(other === button));
      repaint();
    });
  }
  if (!D.sides.some((side) => side.owner.some(Boolean))) document.querySelector("#map .choice").hidden = true;
}
