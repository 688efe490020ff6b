// The address space: where each mapping is drawn. The picture itself is in picture.js.

const BREAK = 2 ** 32; // bytes of nothing that start a new cluster
const strips = [];

// Where the memory of several owners lies in one mapping: from and to, and whose it is.
const owned = SIDES.map(() => new Map());
D.sides.forEach((side, which) => {
  for (const [at, group, from, to] of side.owners) {
    if (!owned[which].has(at)) owned[which].set(at, []);
    owned[which].get(at).push({ from, to, colour: () => ownerColour(text(group)) });
  }
});

// The stretches of a mapping between two offsets that have one colour each, as shares of the whole.
function stretches(which, at, from, bytes) {
  const side = D.sides[which];
  if (paint.by === "kind") return [[0, 1, paint.kinds.get(text(side.kind[at]))]];
  if (!owned[which].has(at) || from === null) return [[0, 1, ownerColour(text(side.group[at]))]];
  const offset = from - parseInt(side.where[at], 16);
  return owned[which].get(at)
    .map((part) => [Math.max(0, (part.from - offset) / bytes), Math.min(1, (part.to - offset) / bytes), part.colour()])
    .filter(([low, high]) => low < high);
}

// The stretches between any two borders: which mapping each side has there, and how long it is.
function atoms(which) {
  const bounds = which.map((side) => D.sides[side].where.map((where) => where.split("-").map((bound) => parseInt(bound, 16))));
  const place = which.map(() => 0);
  const found = [];
  if (which.length === 1 && bounds[0].some(([from]) => Number.isNaN(from))) {
    D.sides[which[0]].size.forEach((bytes, at) => found.push({ from: null, bytes: bytes || 4096, at: [at] }));
    return found;
  }
  let here = -1;
  for (;;) {
    let next = Infinity;
    const at = bounds.map((list, side) => {
      while (place[side] < list.length && list[place[side]][1] <= here) place[side] += 1;
      const mapping = list[place[side]];
      if (!mapping) return -1;
      const inside = mapping[0] <= here;
      next = Math.min(next, inside ? mapping[1] : mapping[0]);
      return inside ? place[side] : -1;
    });
    if (next === Infinity) return found;
    if (here >= 0) found.push({ from: here, bytes: next - here, at });
    here = next;
  }
}

function makeStrip(which, name) {
  const canvas = el("canvas", { tabIndex: 0, role: "img", "aria-label": `${name}. Arrow keys go from ${ALONE ? "mapping to mapping" : "change to change"}, Enter shows the row.` });
  const strip = { which, canvas, atoms: atoms(which), hot: -1 };
  strip.atoms.forEach((atom, index) => { // a mapping cut by the other side's border is one still
    const next = strip.atoms[index + 1];
    atom.goesOn = atom.at.map((at, place) => at >= 0 && next?.at[place] === at);
  });
  for (const atom of strip.atoms) {
    const rows = which.map((side, place) => (atom.at[place] >= 0 ? rowOf[side].get(atom.at[place]) : undefined));
    atom.row = rows.find(Boolean) || null;
    atom.changed = !ALONE && atom.row !== null && atom.row.word !== "recounted";
    atom.gap = atom.at.every((at) => at < 0);
  }
  canvas.addEventListener("mousemove", (event) => hover(strip, event));
  canvas.addEventListener("mouseleave", () => leave(strip));
  canvas.addEventListener("click", (event) => { hover(strip, event); openAtom(strip); });
  canvas.addEventListener("keydown", (event) => stripKey(strip, event));
  canvas.addEventListener("blur", () => leave(strip));
  strip.frame = el("div", { className: "frame", hidden: true });
  strips.push(strip);
  return el("div", { className: "strip" }, canvas, strip.frame);
}

const weight = (bytes) => Math.max(1, (bytes / 4096) ** 0.3);

function layout(strip, width) {
  const left = width > 560 && strip.which.length > 1 ? 52 : 0;
  const room = width - left;
  const most = width > 560 ? 6 : 4;
  const breaks = strip.atoms.filter((atom) => atom.gap && atom.bytes >= BREAK).length;
  const total = strip.atoms.reduce((sum, atom) => sum + (atom.gap ? (atom.bytes >= BREAK ? 0 : 0.7) : weight(atom.bytes)), 0);
  let lines = 1;
  let unit = 0;
  for (; lines <= most; lines += 1) {
    unit = (lines * room * 0.97 - Math.min(breaks, lines * 8) * 26) / total;
    if (unit >= 3.2 || lines === most) break;
  }
  if (unit < 0.8) { // thousands: a texture says as much on fewer lines
    unit *= 0.5;
  }
  const bars = strip.which.length > 1 ? 50 : 26;
  const step = bars + 34;
  let x = 0;
  let row = 0;
  strip.labels = [];
  let fresh = true;
  for (const atom of strip.atoms) {
    if (atom.gap && atom.bytes >= BREAK) {
      atom.w = 0;
      x += x > 0 ? 26 : 0;
      fresh = true;
      continue;
    }
    atom.w = atom.gap ? Math.min(6, 0.7 * unit) : Math.min(room * 0.6, weight(atom.bytes) * unit);
    if (x + atom.w > room + 0.5) { x = 0; row += 1; fresh = true; }
    if (atom.gap && x === 0) { atom.w = 0; continue; }
    if (fresh && atom.from !== null) {
      const last = strip.labels[strip.labels.length - 1];
      if (!last || last.row !== row || left + x - last.x > 90) strip.labels.push({ x: left + x, row, text: atom.from.toString(16) });
      fresh = false;
    }
    atom.x = left + x;
    atom.y = row * step + 18;
    x += atom.w;
  }
  Object.assign(strip, { left, step, bars, width, height: (row + 1) * step - 4, lines: row + 1 });
  strip.hits = strip.atoms.filter((atom) => !atom.gap);
}
