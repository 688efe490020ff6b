// The composition to scale: how much is what, before and after, or what grew and what shrank.

const LEAST = 90;      // square pixels of a piece that is drawn by itself
const MOST = 160;      // pieces of one group that are
const INSIDE = 600;    // and of the one that is looked into
const GAP = 10;        // pixels between two panels
const picture = { by: D.usual, column: 0, mode: "held", tree: null, at: null };
const MODES = { held: ALONE ? [["after", ""]] : [["before", "before"], ["after", "after"]], change: [["up", "grew"], ["down", "shrank"]] };
const folded = (name, kids, parent) => ({ ...node(name, parent), kids: new Map(kids.entries()), folded: true,
  ...Object.fromEntries(["before", "after", "up", "down"].map((key) => [key, kids.reduce((sum, kid) => sum + kid[key], 0)])),
  ...Object.fromEntries(["kind", "owner"].map((name) => [name, kids.every((kid) => kid[name] === kids[0][name]) ? kids[0][name] : null])) });

function composition() {
  if (!LEAF.length) return;
  byId("composition").hidden = false;
  document.querySelector("nav a[href='#composition']").hidden = false;
  picture.column = MAIN;
  if (!D.totals[picture.column].some(Boolean)) picture.column = Math.max(0, D.totals.findIndex((sides) => sides.some(Boolean)));
  byId("composed-list").addEventListener("toggle", list);
  plant();
}

function plant() {
  picture.tree = grow(picture.by, picture.column);
  picture.at = picture.tree;
  compose();
}

function pick(change) {
  Object.assign(picture, change);
  plant();
}

function compose() {
  choice(byId("composed-by"), BY, picture.by, (by) => pick({ by }));
  choice(byId("composed-of"), D.columns, D.columns[picture.column], (name) => pick({ column: D.columns.indexOf(name) }));
  if (!ALONE) choice(byId("composed-as"), ["before and after", "change"], picture.mode === "change" ? "change" : "before and after",
    (name) => { picture.mode = name === "change" ? "change" : "held"; compose(); });
  crumbs();
  panels();
  tell(picture.at);
  if (byId("composed-list").open) list();
}

// ---- the panels, at one scale

function panels() {
  const box = byId("panels");
  const unknown = picture.at === picture.tree && D.totals[picture.column].includes(null);
  const shown = MODES[picture.mode].map(([key, name]) => ({ key, name: unknown ? `${name} at least` : name, sum: picture.at[key] }));
  const most = shown.reduce((sum, panel) => sum + panel.sum, 0);
  const wide = box.clientWidth >= 640;
  box.className = wide ? "panels wide" : "panels";
  const width = box.clientWidth - (wide ? GAP * (shown.length - 1) : 0);
  const height = wide ? 360 : Math.min(560, 440 - 60 * shown.length);
  const made = shown.map((panel) => {
    const share = most ? panel.sum / most : 0;
    const extent = wide ? { w: width * share, h: height } : { w: width, h: shown.length > 1 ? height * share : height };
    return panelElement(panel, extent, wide, box.clientWidth);
  });
  box.replaceChildren(...made);
  byId("unowned").hidden = !box.querySelector(".unowned");
}

function panelElement({ key, name, sum }, extent, wide, whole) {
  const field = el("div", { className: "field", role: "group", "aria-label": `${name || D.columns[picture.column]}: ${figureOf(key, sum)}` });
  field.style.height = `${wide ? 360 : Math.max(sum ? 2 : 0, extent.h)}px`;
  const cells = sum && extent.w >= 3 && extent.h >= 3 ? spread(picture.at, key, { x: 0, y: 0, ...extent }, 0) : [];
  field.append(...cells.map((cell, at) => cellElement(cell, key, extent, at)));
  if (sum && !cells.length) field.classList.add("sliver");
  field.addEventListener("keydown", (event) => cellKey(event, field, cells));
  const caption = el("p", { className: "caption" }, name ? el("span", {}, name) : "", el("b", {}, figureOf(key, sum)), el("span", {}, D.columns[picture.column]));
  const panel = el("div", { className: sum ? "panel" : "panel empty" }, caption, field);
  if (wide) panel.style.width = `${(100 * extent.w) / whole}%`;
  return panel;
}

const figureOf = (key, value) => (key === "up" ? signed(value) : key === "down" ? signed(-value) : size(value));

// The cells of a group: its largest, and what is too small to draw as one more. Frames stand before what is in them.
function spread(here, key, box, depth) {
  const kids = [...here.kids.values()].filter((kid) => kid[key] > 0).sort((one, other) => other[key] - one[key]);
  const scale = (box.w * box.h) / here[key];
  let drawn = kids.findIndex((kid, at) => at >= (depth ? MOST : INSIDE) || kid[key] * scale < LEAST);
  if (drawn < 0 || drawn >= kids.length - 1) drawn = kids.length;
  const shown = drawn === kids.length ? kids
    : drawn || depth ? [...kids.slice(0, drawn), folded(count(kids.length - drawn, "other"), kids.slice(drawn), here)]
    : portions(kids, here);
  return squarify(shown.map((kid) => kid[key]), box).flatMap((place, at) => {
    const kid = shown[at];
    if (depth || kid.folded || !kid.kids.size || place.w < 60 || place.h < 46) return [{ node: kid, place, frame: false }];
    const inner = { x: place.x + 2, y: place.y + 19, w: place.w - 5, h: place.h - 22 };
    return [{ node: kid, place, frame: true }, ...spread(kid, key, inner, depth + 1)];
  });
}

// Of very many that are all too small: some hundred portions, each of which can be looked into.
function portions(kids, here) {
  if (kids.length <= INSIDE) return kids;
  const step = Math.ceil(kids.length / 100);
  const from = (part) => part * step + 1;
  return Array.from({ length: Math.ceil(kids.length / step) }, (_, part) => {
    const some = kids.slice(part * step, (part + 1) * step);
    return folded(`${grouped(String(from(part)))}–${grouped(String(from(part) + some.length - 1))}`, some, here);
  });
}

function cellElement({ node: here, place, frame }, key, extent, at) {
  const made = el("button", { type: "button", className: frame ? "cell group" : "cell", tabIndex: at ? -1 : 0 });
  const colour = key === "up" || key === "down" ? paint[key] : nodeColour(here);
  const share = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(made.style, { left: share(place.x, extent.w), width: share(place.w, extent.w), top: `${place.y}px`, height: `${place.h}px`,
    backgroundColor: tint(colour, frame ? 0.2 : 0.42) });
  if (colour === paint.unowned) made.classList.add("unowned");
  const name = brief(here);
  if (name && place.w > 40 && place.h > 15) made.append(el("span", {}, name));
  if (place.w > (frame ? 100 : 54) && place.h > (frame || !name ? 15 : 32)) made.append(" ", el("small", {}, figureOf(key, here[key])));
  made.setAttribute("aria-label", spoken(made.textContent.trim(), here));
  made.addEventListener("click", () => enter(here));
  made.addEventListener("focus", () => { tell(here); rove(made); });
  made.addEventListener("mousemove", (event) => tip(nodeLines(here), event.clientX, event.clientY));
  made.addEventListener("mouseleave", () => { byId("tip").hidden = true; });
  return made;
}

// What a cell is called where room is scarce: the end of a path, and not once more what the group around it is called.
function brief({ name, parent }) {
  if (name.startsWith("/")) return name.slice(name.lastIndexOf("/") + 1);
  if (!parent?.parent || !name.startsWith(parent.name)) return name;
  const more = name.slice(parent.name.length).trim().replace(/^\((.*)\)$/, "$1").replace(/(, |^)likely$/, "");
  return /^\d+$/.test(more) ? name : more;
}

// Memory of several colours has none.
function nodeColour(here) {
  if (picture.by === "kind" || picture.by === "object") return here.kind === null ? paint.rest : paint.kinds.get(text(here.kind));
  return here.owner === null || trail(here)[0]?.name === NOT_SPLIT ? paint.rest : ownerColour(text(here.owner));
}

// ---- words

function nodeLines(here) {
  const whole = picture.tree;
  const share = (key) => (whole[key] ? `${((100 * here[key]) / whole[key]).toFixed(1)} %` : "");
  const lines = [here.name];
  if (ALONE) lines.push(`${size(here.after)} ${D.columns[picture.column]}, ${share("after")} of all`);
  else {
    lines.push(`${size(here.before)} → ${size(here.after)} ${D.columns[picture.column]}, ${signed(here.after - here.before)}`);
    if (here.up && here.down) lines.push(`in it ${signed(here.up)} and ${signed(-here.down)}`);
    lines.push([["before", "of all before"], ["after", "of all after"]].filter(([key]) => here[key]).map(([key, name]) => `${share(key)} ${name}`).join(", "));
  }
  if (here.unknown) lines.push(`not known of ${count(here.unknown, "piece")}`);
  if (here.leaf >= 0) lines.push([text(L.kind[here.leaf]), text(L.owner[here.leaf]).startsWith("(") ? "no known owner" : text(L.owner[here.leaf]), L.where[here.leaf]].filter(Boolean).join(" · "));
  else if (here !== whole) lines.push(count(piecesIn(here), "piece"));
  return lines.filter(Boolean);
}

// What is read out begins with what is seen (WCAG 2.5.3).
function spoken(seen, here) {
  const [name, ...lines] = nodeLines(here);
  return [seen, ...(seen.startsWith(name) ? [] : [name]), ...lines].filter(Boolean).join("; ");
}

function tell(here) {
  const lines = here === picture.tree ? ["Each area is to scale. Click a group, or press Enter on it, to look into it."] : nodeLines(here);
  const row = here.leaf >= 0 && L.row ? ROWS[L.row[here.leaf]] : null;
  const link = row ? el("button", { type: "button", className: "link" }, "show in the table") : null;
  if (link) link.addEventListener("click", () => showRow(row));
  byId("held").replaceChildren(lines.join(" · "), ...(link ? [" ", link] : []));
}

function crumbs() {
  const way = trail(picture.at);
  byId("crumbs").hidden = !way.length;
  byId("crumbs").replaceChildren(...[picture.tree, ...way].flatMap((here, at, all) => {
    const name = at ? brief(here) : "all of it";
    if (at === all.length - 1) return [el("span", { "aria-current": "true" }, name)];
    const back = el("button", { type: "button", className: "link" }, name);
    back.addEventListener("click", () => enter(here));
    return [back, " › "];
  }));
}

// ---- going into it

function enter(here) {
  byId("tip").hidden = true;
  if (!here.kids.size && here !== picture.tree) { tell(here); return; }
  const inside = byId("composition").contains(document.activeElement);
  picture.at = here;
  compose();
  if (inside) byId("panels").querySelector(".cell")?.focus();
}

function rove(cell) {
  for (const other of cell.parentElement.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
}

const TOWARDS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

function cellKey(event, field, cells) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = [...field.children].indexOf(document.activeElement);
  const to = event.key === "Home" ? 0 : event.key === "End" ? cells.length - 1 : TOWARDS[event.key] ? nearest(cells, at, TOWARDS[event.key]) : null;
  if (event.key === "Escape" && picture.at.parent) enter(picture.at.parent);
  else if (to === null) return;
  else field.children[to].focus();
  event.preventDefault();
}

const centre = ({ place, frame }) => (frame ? [place.x + Math.min(place.w / 2, 10), place.y + 9] : [place.x + place.w / 2, place.y + place.h / 2]);

// The next cell in a direction: of those that begin beyond this one, the closest; sideways counts more.
function nearest(cells, from, [dx, dy]) {
  const [x, y] = centre(cells[from]);
  let best = from;
  let least = Infinity;
  cells.forEach((cell, at) => {
    if (at === from) return;
    const [px, py] = centre(cell);
    const along = (px - x) * dx + (py - y) * dy;
    const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    const far = along + 2 * aside;
    if (along > 1 && far < least) { least = far; best = at; }
  });
  return best;
}

// ---- the same in words

function list() {
  const kids = [...picture.at.kids.values()].sort((one, other) => Math.max(other.before, other.after) - Math.max(one.before, one.after));
  const heads = ALONE ? ["name", D.columns[picture.column], "share"] : ["name", "before", "after", "change"];
  const figures = (here) => (ALONE ? [size(here.after), picture.at.after ? `${((100 * here.after) / picture.at.after).toFixed(1)} %` : ""]
    : [size(here.before), size(here.after), signed(here.after - here.before)]);
  const shown = kids.slice(0, MOST);
  if (kids.length > MOST) shown.push(folded(count(kids.length - MOST, "other"), kids.slice(MOST), picture.at));
  byId("composed-table").replaceChildren(el("table", { className: "plain" },
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", className: at ? "n" : "" }, head)))),
    el("tbody", {}, ...shown.map((here) => el("tr", {}, el("th", { scope: "row" }, here.name), ...figures(here).map((value) => el("td", { className: "n" }, value)))))));
}
