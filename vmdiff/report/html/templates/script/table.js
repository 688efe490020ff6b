// The table: only the rows in sight are in the page, so that 60,000 of them scroll.

const body = el("tbody");
const foot = el("tfoot");
const narrow = matchMedia("screen and (max-width: 760px)");
const ownerOf = (row) => (row.title.includes(row.owner) ? "" : row.owner); // not where the name says it
const OWNED = ROWS.some(ownerOf);
const HEADS = [
  ...(ALONE ? [] : [["word", "change", 92, "only-wide"]]),
  ["what", ALONE ? "mapping" : "what", null, ""],
  ...(OWNED ? [["owner", "owner", 140, "only-widest"]] : []),
  ["where", "address", 206, "only-widest"],
  ...D.columns.map((name, at) => [at, name, 96, at === MAIN ? "n" : "n only-wide"]),
];
const medium = matchMedia("screen and (max-width: 1080px)");

function table() {
  const head = el("tr", {}, ...HEADS.map(([key, name, width, extra]) => {
    const button = el("button", { type: "button", "aria-label": `Sort by ${name}` }, name);
    button.addEventListener("click", () => sortBy(key));
    const cell = el("th", { scope: "col", className: extra, "data-key": String(key) }, button);
    if (width) cell.style.width = `${width}px`;
    return cell;
  }));
  const label = ALONE ? "Mappings" : "Changes";
  const made = el("table", { role: "treegrid", "aria-label": label }, el("thead", {}, head), body, foot);
  byId("table").replaceChildren(made);
  body.addEventListener("click", onRowClick);
  body.addEventListener("keydown", onRowKey);
  body.addEventListener("focusin", (event) => {
    const row = event.target.closest("tr.row");
    if (row) view.focus = Number(row.dataset.entry);
  });
  addEventListener("scroll", () => entries.length > WHOLE && draw(), { passive: true });
}

function sortBy(key) {
  const first = typeof key === "number"; // figures largest first, names alphabetically
  if (view.sort !== key) { view.sort = key; view.descending = first; }
  else if (view.descending === first) view.descending = !first;
  else view.sort = null;
  for (const cell of document.querySelectorAll("#table thead th[data-key]")) {
    const mine = view.sort !== null && cell.dataset.key === String(view.sort);
    cell.setAttribute("aria-sort", mine ? (view.descending ? "descending" : "ascending") : "none");
  }
  refresh();
}

const across = () => HEADS.filter(([, , , extra]) => !(narrow.matches && /only/.test(extra)) && !(medium.matches && /widest/.test(extra))).length;
const rowHeight = () => (narrow.matches ? 50 : 30);
let drawn = "";
let detailHeight = 0;

function range() {
  if (onPaper) return [0, Math.min(entries.length, PRINTED)];
  if (entries.length <= WHOLE) return [0, entries.length];
  const height = rowHeight();
  const opened = view.detail === null ? -1 : entries.findIndex((entry) => entry.row.at === view.detail);
  let above = -body.getBoundingClientRect().top;
  if (opened >= 0 && above > (opened + 1) * height) above = Math.max((opened + 1) * height, above - detailHeight);
  const first = Math.max(0, Math.floor(above / height) - 12);
  return [Math.min(first, entries.length), Math.min(entries.length, first + Math.ceil(innerHeight / height) + 24)];
}

function draw(force = false) {
  const [first, last] = range();
  const key = `${first} ${last}`;
  if (!force && key === drawn) return;
  drawn = key;
  const held = body.contains(document.activeElement);
  const height = rowHeight();
  const shown = [];
  const opened = view.detail === null ? -1 : entries.findIndex((entry) => entry.row.at === view.detail);
  shown.push(gap(first * height + (opened >= 0 && opened < first ? detailHeight : 0)));
  for (let at = first; at < last; at += 1) {
    shown.push(rowElement(entries[at], at, first));
    if (at === opened) shown.push(detailElement(entries[at].row));
  }
  const left = onPaper ? 0 : entries.length - last;
  shown.push(gap(left * height + (opened >= last ? detailHeight : 0)));
  if (!entries.length) shown.push(el("tr", {}, el("td", { className: "none", colSpan: across() }, filtering() ? "Nothing matches these filters." : ALONE ? "No mappings are listed." : "Nothing changed.")));
  if (onPaper && entries.length > last) {
    shown.push(el("tr", {}, el("td", { className: "none", colSpan: across() }, `${count(entries.length - last, "more row")} in the file itself.`)));
  }
  body.replaceChildren(...shown);
  const detail = body.querySelector("tr.detail");
  if (detail) detailHeight = detail.getBoundingClientRect().height;
  if (held) focusRow(view.focus, false);
}

function gap(height) {
  const row = el("tr", { className: "gap", "aria-hidden": "true" }, el("td", { colSpan: across() }));
  row.firstChild.style.height = `${height}px`;
  row.hidden = height <= 0;
  return row;
}

const isFold = (row) => folds(row) && (row.word === "…" || row.word === "recounted" || !row.word);

function dot(row) {
  const mark = el("span", { className: "dot" });
  mark.style.background = `var(--${colourName(row)})`;
  return mark;
}

// A heap that commits more of its reservation is of two kinds; what is used is what it is about.
function colourName(row) {
  if (KINDS.includes(row.kind)) return row.kind;
  const found = [[SIDES.length - 1, row.after], [0, row.before]].flatMap(([side, list]) => list.map((at) => text(D.sides[side].kind[at])));
  return found.find((kind) => kind !== "reserved") || "reserved";
}

// Where a path is too long for its place, its end says more than its middle.
function nameOf(row, again) {
  if (again) return el("span", { className: "name again" }, row.title);
  const slash = row.title.lastIndexOf("/");
  const parts = slash > 8 ? [row.title.slice(0, slash), row.title.slice(slash)] : [row.title];
  return el("span", { className: "name" }, ...parts.map((part) => el("span", {}, part)));
}

function rowElement({ row, level, figures, shown }, at, first) {
  const open = folds(row) && view.open.has(row.at);
  const partly = folds(row) && shown < row.members.length ? `${shown} match` : "";
  const again = !narrow.matches && !folds(row) && at > first && entries[at - 1].row.title === row.title; // a name once more says nothing
  const under = [row.word, row.owner || row.kind, row.where].filter(Boolean).join(" · ");
  const title = folds(row) ? row.title : `${row.title}${row.perms ? `\n${row.perms}` : ""}${row.note ? `\n${row.note}` : ""}`;
  const cells = [
    ...(ALONE ? [] : [el("td", { className: "word only-wide" }, row.word)]),
    el("td", { className: "what", title },
      el("div", { className: level ? "lead level" : "lead" },
        el("span", { className: "twist", "aria-hidden": "true" }, folds(row) ? (open ? "▾" : "▸") : ""),
        isFold(row) ? null : dot(row), nameOf(row, again),
        partly || row.note ? el("span", { className: "note" }, partly || row.note) : null),
      el("span", { className: "under" }, under)),
    ...(OWNED ? [el("td", { className: "owner only-widest", title: row.owner }, ownerOf(row))] : []),
    el("td", { className: "where only-widest" }, row.where),
    ...figures.map((value, column) => el("td", { className: `n${column === MAIN ? "" : " only-wide"}` }, value ? figure(value) : value === null ? "?" : "")),
  ];
  return el("tr", {
    className: `row${folds(row) ? (isFold(row) ? " fold" : " crowd") : ""}${view.detail === row.at ? " open" : ""}`,
    "data-entry": String(at), "data-row": String(row.at), tabIndex: at === view.focus ? 0 : -1,
    "aria-level": level + 1, "aria-expanded": folds(row) ? String(open) : String(view.detail === row.at),
  }, ...cells);
}

function totals() {
  // Not the sum of all rows: a listing without rows has totals too.
  const sum = filtering() ? sums(matched) : D.totals.map(([before, after]) => (ALONE ? before : add(after, negative(before))));
  const label = filtering() ? "total of these" : "total";
  foot.replaceChildren(el("tr", { className: "total" },
    ...(ALONE ? [] : [el("td", { className: "only-wide" })]),
    el("td", {}, label), ...(OWNED ? [el("td", { className: "only-widest" })] : []), el("td", { className: "only-widest" }),
    ...sum.map((value, column) => el("td", { className: `n${column === MAIN ? "" : " only-wide"}` }, figure(value)))));
  byId("matched").textContent = filtering() ? `${tally(matched)} of ${tally(LEAVES)}` : tally(LEAVES);
}

// What was only counted anew is no change, so it is counted apart.
function tally(rows) {
  const recounted = rows.filter((row) => row.word === "recounted").length;
  const changed = count(rows.length - recounted, ALONE ? "mapping" : "change");
  return recounted ? `${changed} and ${grouped(String(recounted))} recounted` : changed;
}

function refresh() {
  choose();
  totals();
  draw(true);
}

function focusRow(at, scroll = true) {
  if (!entries.length) return;
  view.focus = Math.max(0, Math.min(at, entries.length - 1));
  if (scroll) reveal(view.focus);
  for (const row of body.querySelectorAll("tr.row")) row.tabIndex = Number(row.dataset.entry) === view.focus ? 0 : -1;
  body.querySelector(`tr[data-entry="${view.focus}"]`)?.focus({ preventScroll: true });
}

function reveal(at) {
  const height = rowHeight();
  let shown = body.querySelector(`tr[data-entry="${at}"]`);
  if (!shown) {
    scrollTo(0, scrollY + body.getBoundingClientRect().top + at * height - innerHeight / 2);
    draw(true);
    shown = body.querySelector(`tr[data-entry="${at}"]`);
  }
  if (!shown) return;
  const { top, bottom } = shown.getBoundingClientRect();
  if (top < 48) scrollBy(0, top - 48);
  else if (bottom > innerHeight - 8) scrollBy(0, bottom - innerHeight + 8);
  if (entries.length > WHOLE) draw();
}

function toggle(row) {
  if (folds(row)) {
    if (!view.open.delete(row.at)) view.open.add(row.at);
  } else {
    view.detail = view.detail === row.at ? null : row.at;
  }
  refresh();
}

function onRowClick(event) {
  const shown = event.target.closest("tr.row");
  if (!shown || getSelection().toString()) return;
  view.focus = Number(shown.dataset.entry);
  toggle(entries[view.focus].row);
  focusRow(view.focus, false);
}

function onRowKey(event) {
  const shown = event.target.closest("tr.row");
  if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
  const { row, level } = entries[view.focus];
  const page = Math.max(1, Math.floor(innerHeight / rowHeight()) - 3);
  const open = folds(row) && view.open.has(row.at);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.key in moves) focusRow(Math.max(0, Math.min(entries.length - 1, view.focus + moves[event.key])));
  else if (event.key === "Enter" || event.key === " ") { toggle(row); focusRow(view.focus); }
  else if (event.key === "ArrowRight" && folds(row) && !open) { toggle(row); focusRow(view.focus); }
  else if (event.key === "ArrowLeft" && open) { toggle(row); focusRow(view.focus); }
  else if (event.key === "ArrowLeft" && level) focusRow(entries.findIndex((entry) => entry.row.at === row.parent));
  else if (event.key === "Escape" && view.detail !== null) { view.detail = null; refresh(); focusRow(view.focus); }
  else return;
  event.preventDefault();
}
