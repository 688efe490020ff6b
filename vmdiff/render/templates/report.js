"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const ALONE = D.match === "alone";
  const SIDES = ALONE ? ["after"] : ["before", "after"];
  const WHOLE = 600;        // rows up to which all are in the page, for the browser's own search
  const PRINTED = 400;      // rows on paper
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);

  // ---- words (units.py says the same in Python)

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

  // ---- rows

  const ROWS = D.rows.map(([parent, [word, title, kind, owner, path, perms, note, why], where, figures, before, after], at) => ({
    at, parent, where, figures,
    word: text(word), title: text(title), kind: text(kind), owner: text(owner), path: text(path),
    perms: text(perms), note: text(note), why: text(why),
    before: ALONE ? [] : before || [], after: (ALONE ? before : after) || [],
    members: [],
  }));
  for (const row of ROWS) if (row.parent >= 0) ROWS[row.parent].members.push(row);
  const TOPS = ROWS.filter((row) => row.parent < 0);
  const LEAVES = ROWS.filter((row) => !row.members.length);
  const folds = (row) => row.members.length > 0;
  const RESIDENT = Math.max(0, D.columns.indexOf("resident"));
  const start = (row) => (row.where ? parseInt(row.where, 16) : Infinity);

  const rowOf = SIDES.map(() => new Map()); // a mapping's place in its side -> its row
  for (const row of LEAVES) {
    if (!ALONE) for (const at of row.before) rowOf[0].set(at, row);
    for (const at of row.after) rowOf[SIDES.length - 1].set(at, row);
  }

  // ---- state

  const view = { sort: null, descending: true, words: "", kind: "", owner: "", change: "", least: 0, open: new Set(), detail: null, focus: 0, print: false };
  let entries = [];   // what the table shows: {row, level}
  let matched = [];   // rows that pass the filters

  const filtering = () => Boolean(view.words || view.kind || view.owner || view.change || view.least);

  function hay(row) {
    row.hay ??= [row.title, row.word, row.kind, row.owner, row.path, row.where, row.note, row.perms].join("\n").toLowerCase();
    return row.hay;
  }

  function passes(row) {
    if (view.kind && row.kind !== view.kind) return false;
    if (view.owner && row.owner !== view.owner) return false;
    if (view.change && row.word !== view.change) return false;
    if (view.least && !row.figures.some((value) => Math.abs(value || 0) >= view.least)) return false;
    return !view.words || view.words.split(/\s+/).every((word) => hay(row).includes(word));
  }

  const sums = (rows) => D.columns.map((_, at) => rows.reduce((sum, row) => add(sum, row.figures[at]), 0));

  function order(rows) {
    if (view.sort === null) return rows;
    const sign = view.descending ? -1 : 1;
    const key = view.sort === "what" ? (item) => item.row.title.toLowerCase()
      : view.sort === "where" ? (item) => start(item.row)
      : view.sort === "word" ? (item) => item.row.word
      : view.sort === "owner" ? (item) => item.row.owner
      : (item) => (ALONE ? item.figures[view.sort] || 0 : Math.abs(item.figures[view.sort] || 0));
    return rows.map((item) => [key(item), item]).sort((one, other) =>
      sign * (one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0)).map((pair) => pair[1]);
  }

  function choose() {
    const narrowed = filtering();
    const tops = [];
    matched = [];
    for (const row of TOPS) {
      const members = folds(row) ? (narrowed ? row.members.filter(passes) : row.members) : [row];
      if (folds(row) ? !members.length : narrowed && !passes(row)) continue;
      for (const member of members) matched.push(member);
      tops.push({ row, members, figures: folds(row) && narrowed ? sums(members) : row.figures });
    }
    entries = [];
    for (const item of order(tops)) {
      entries.push({ row: item.row, level: 0, figures: item.figures, shown: item.members.length });
      if (folds(item.row) && view.open.has(item.row.at)) {
        const members = item.members.map((row) => ({ row, level: 1, figures: row.figures, shown: 1 }));
        for (const member of order(members)) entries.push(member);
      }
    }
    view.focus = Math.max(0, Math.min(view.focus, entries.length - 1));
  }

  // ---- the table

  const body = el("tbody");
  const foot = el("tfoot");
  const narrow = matchMedia("screen and (max-width: 760px)");
  const HEADS = [
    ...(ALONE ? [] : [["word", "change", 96, "only-wide"]]),
    ["what", ALONE ? "mapping" : "what", null, ""],
    ["owner", "owner", 170, "only-wide"],
    ["where", "address", 232, "only-wide"],
    ...D.columns.map((name, at) => [at, name, 104, at === RESIDENT ? "n" : "n only-wide"]),
  ];

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
    addEventListener("resize", () => refit());
    addEventListener("beforeprint", () => paper(true));
    addEventListener("afterprint", () => paper(false));
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

  const across = () => (narrow.matches ? 2 : HEADS.length); // columns that are shown
  const rowHeight = () => (narrow.matches ? 50 : 30);
  let drawn = "";
  let detailHeight = 0;

  function range() {
    if (view.print) return [0, Math.min(entries.length, PRINTED)];
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
      shown.push(rowElement(entries[at], at));
      if (at === opened) shown.push(detailElement(entries[at].row));
    }
    const left = view.print ? 0 : entries.length - last;
    shown.push(gap(left * height + (opened >= last ? detailHeight : 0)));
    if (!entries.length) shown.push(el("tr", {}, el("td", { className: "none", colSpan: across() }, filtering() ? "Nothing matches these filters." : ALONE ? "No mappings are listed." : "Nothing changed.")));
    if (view.print && entries.length > last) {
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
    return found.find((kind) => kind !== "reserved") || "mixed";
  }

  // Where a path is too long for its place, its end says more than its middle.
  function nameOf(row) {
    const slash = row.title.lastIndexOf("/");
    const parts = slash > 8 ? [row.title.slice(0, slash), row.title.slice(slash)] : [row.title];
    return el("span", { className: "name" }, ...parts.map((part) => el("span", {}, part)));
  }

  function rowElement({ row, level, figures, shown }, at) {
    const open = folds(row) && view.open.has(row.at);
    const partly = folds(row) && shown < row.members.length ? `${shown} match` : "";
    const under = [row.word, row.owner || row.kind, row.where].filter(Boolean).join(" · ");
    const title = folds(row) ? row.title : `${row.title}${row.perms ? `\n${row.perms}` : ""}${row.note ? `\n${row.note}` : ""}`;
    const cells = [
      ...(ALONE ? [] : [el("td", { className: "word only-wide" }, row.word)]),
      el("td", { className: "what", title },
        el("div", { className: level ? "lead level" : "lead" },
          el("span", { className: "twist", "aria-hidden": "true" }, folds(row) ? (open ? "▾" : "▸") : ""),
          isFold(row) ? null : dot(row), nameOf(row),
          partly || row.note ? el("span", { className: "note" }, partly || row.note) : null),
        el("span", { className: "under" }, under)),
      el("td", { className: "owner only-wide", title: row.owner }, row.owner),
      el("td", { className: "where only-wide" }, row.where),
      ...figures.map((value, column) => el("td", { className: `n${column === RESIDENT ? "" : " only-wide"}` }, value ? figure(value) : value === null ? "?" : "")),
    ];
    return el("tr", {
      className: `row${folds(row) ? (isFold(row) ? " fold" : " crowd") : ""}${view.detail === row.at ? " open" : ""}`,
      "data-entry": String(at), "data-row": String(row.at), tabIndex: at === view.focus ? 0 : -1,
      "aria-level": level + 1, "aria-expanded": folds(row) ? String(open) : String(view.detail === row.at),
    }, ...cells);
  }

  function totals() {
    // Not the sum of all rows: a listing without rows has totals too.
    const sum = filtering() ? sums(matched) : D.totals.map(([before, after]) => (ALONE ? after : add(after, negative(before))));
    const label = filtering() ? "total of these" : "total";
    foot.replaceChildren(el("tr", { className: "total" },
      ...(ALONE ? [] : [el("td", { className: "only-wide" })]),
      el("td", {}, label), el("td", { className: "only-wide" }), el("td", { className: "only-wide" }),
      ...sum.map((value, column) => el("td", { className: `n${column === RESIDENT ? "" : " only-wide"}` }, figure(value)))));
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

  // ---- what is known of one row

  function detailElement(row) {
    const cell = el("td", { colSpan: across() }, el("div", { className: "inside" }, about(row), figuresOf(row), pieces(row)));
    return el("tr", { className: "detail" }, cell);
  }

  function about(row) {
    const told = [["name", row.title], ["address", row.where], ["permissions", row.perms], ["kind", row.kind], ["owner", row.owner],
      ["change", row.word], ["note", row.note], ["because", row.why]];
    const single = row.before.length + row.after.length === 1 || (row.before.length === 1 && row.after.length === 1);
    if (single) {
      const side = D.sides[row.after.length ? SIDES.length - 1 : 0];
      told.push(["listing", text(side.more[row.after.length ? row.after[0] : row.before[0]])]);
    }
    return el("dl", {}, ...told.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }

  function sumOf(side, mappings, counter) {
    if (!D.known[side][counter]) return null;
    let sum = 0;
    for (const at of mappings) {
      const values = D.sides[side].values[at];
      for (let place = 0; place < values.length; place += 2) {
        if (values[place] === counter) sum = add(sum, values[place + 1]);
      }
    }
    return sum;
  }

  function figuresOf(row) {
    const last = SIDES.length - 1;
    const rows = [["size", sizeOf(0, ALONE ? [] : row.before), sizeOf(last, row.after)]];
    D.counters.forEach((name, at) => rows.push([name, ALONE ? 0 : sumOf(0, row.before, at), sumOf(last, row.after, at)]));
    const told = rows.filter(([, before, after]) => before || after);
    const heads = ALONE ? ["counter", "value"] : ["counter", "before", "after", "change"];
    return el("table", { className: "figures-of" },
      el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { className: at ? "n" : "", scope: "col" }, head)))),
      el("tbody", {}, ...told.map(([name, before, after]) => el("tr", {}, el("th", { scope: "row" }, name),
        ...(ALONE ? [size(after)] : [size(before), size(after), signed(add(after, negative(before)))])
          .map((value) => el("td", { className: "n" }, value))))));
  }

  const residentOf = (side, mappings) => mappings.reduce((sum, at) => add(sum, D.sides[side].rss[at]), 0);
  const sizeOf = (side, mappings) => mappings.reduce((sum, at) => add(sum, D.sides[side].size[at]), 0);

  function pieces(row) {
    if (row.before.length < 2 && row.after.length < 2) return "";
    const lists = [["before", 0, row.before], ["after", SIDES.length - 1, row.after]].filter(([, , list]) => list.length);
    return el("div", { className: "pieces" }, ...lists.map(([name, side, list]) => el("div", {}, el("p", {}, `${name}: ${count(list.length, "mapping")}`),
      el("ul", {}, ...list.slice(0, 100).map((at) => el("li", { className: "mono" }, line(side, at))),
        list.length > 100 ? el("li", {}, `and ${list.length - 100} more`) : ""))));
  }

  function line(side, at) {
    const mappings = D.sides[side];
    return `${mappings.where[at]} ${text(mappings.perms[at])} ${size(mappings.size[at])}, ${size(mappings.rss[at])} resident  ${text(mappings.title[at])}`;
  }

  // ---- filters

  function filters() {
    const words = el("input", { type: "search", name: "words", placeholder: "Name, owner, path or address", "aria-label": "Filter by text", autocomplete: "off", spellcheck: false });
    const least = el("input", { type: "text", name: "least", placeholder: ALONE ? "At least 1 MiB" : "At least 64 KiB", "aria-label": "Smallest size to show", autocomplete: "off" });
    const kind = select("kind", "Every kind", LEAVES.map((row) => row.kind));
    const owner = select("owner", "Every owner", LEAVES.map((row) => row.owner));
    const change = ALONE ? null : select("change", "Every change", LEAVES.map((row) => row.word));
    const clear = el("button", { type: "button", name: "clear" }, "Clear");
    const form = byId("filters");
    form.replaceChildren(words, kind, owner, ...(change ? [change] : []), least, clear);
    form.hidden = !LEAVES.length;
    form.addEventListener("input", read);
    clear.addEventListener("click", clearFilters);
    form.addEventListener("submit", (event) => { event.preventDefault(); focusRow(0); });
    addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); words.focus(); }
      if (event.key === "Escape" && typing && form.contains(event.target)) { clearFilters(); focusRow(0); }
      if (event.key === "ArrowDown" && event.target === words) { event.preventDefault(); focusRow(0); }
    });
  }

  function select(name, all, values) {
    const tally = new Map();
    for (const value of values) if (value && value !== "…") tally.set(value, (tally.get(value) || 0) + 1);
    const found = [...tally].sort((one, other) => other[1] - one[1]);
    return el("select", { name, "aria-label": all, hidden: !found.length }, el("option", { value: "" }, all),
      ...found.map(([value, n]) => el("option", { value }, `${value} (${grouped(String(n))})`)));
  }

  function read() {
    const form = byId("filters").elements;
    const least = form.least.value.trim() ? parseSize(form.least.value) : 0;
    form.least.setAttribute("aria-invalid", String(least === null));
    Object.assign(view, {
      words: form.words.value.trim().toLowerCase(), kind: form.kind.value, owner: form.owner.value,
      change: form.change ? form.change.value : "", least: least || 0,
    });
    view.focus = 0;
    refresh();
    legend();
  }

  function clearFilters() {
    byId("filters").reset();
    read();
  }

  function filterBy(name, value) {
    const form = byId("filters").elements;
    const input = form[name];
    if (input.tagName === "SELECT" && ![...input.options].some((option) => option.value === value)) return false;
    input.value = input.value === value ? "" : value;
    read();
    return true;
  }

  // ---- where the growth came from

  const moves = (column) => Object.values(D.groups).some((groups) => groups.some(([, ...pairs]) => (ALONE ? pairs[column][1] : pairs[column][1] !== pairs[column][0])));
  const chart = { by: D.usual, column: moves(RESIDENT) ? RESIDENT : Math.max(0, D.columns.findIndex((_, at) => moves(at))) };
  const LINES = 12;

  function growth() {
    choice(byId("by"), Object.keys(D.groups), chart.by, (by) => { chart.by = by; growth(); });
    choice(byId("counter"), D.columns, D.columns[chart.column], (name) => { chart.column = D.columns.indexOf(name); growth(); });
    const lines = D.groups[chart.by].map(([name, ...pairs]) => {
      const [before, after] = pairs[chart.column];
      return { name, before, after, value: ALONE ? after : add(after, negative(before)) };
    });
    lines.sort((one, other) => Math.abs(other.value || 0) - Math.abs(one.value || 0));
    const moved = lines.filter((item) => item.value);
    const unknown = lines.some((item) => item.value === null);
    const shown = moved.slice(0, LINES);
    const rest = lines.filter((item) => !shown.includes(item));
    if (rest.length && (moved.length > LINES)) shown.push(together(moved.slice(LINES), `${count(moved.length - LINES, "other")}`));
    const low = Math.min(0, ...shown.map((item) => item.value || 0));
    const high = Math.max(0, ...shown.map((item) => item.value || 0));
    const [was, is] = D.totals[chart.column] || [null, null];
    const sum = { name: "total", before: was, after: is, value: ALONE ? is : add(is, negative(was)) };
    const none = unknown ? "This counter is not known." : !lines.length ? "No mappings are listed." : ALONE ? "There is none." : "None of it changed.";
    byId("chart").replaceChildren(
      ...(shown.length ? shown.map((item) => chartLine(item, low, high)) : [el("p", { className: "counts" }, none)]),
      chartLine(sum, low, high, true));
  }

  function together(items, name) {
    const sum = (key) => items.reduce((total, item) => add(total, item[key]), 0);
    return { name, before: sum("before"), after: sum("after"), value: sum("value"), several: true };
  }

  function choice(box, names, chosen, pick) {
    box.hidden = names.length < 2;
    const held = box.contains(document.activeElement);
    box.replaceChildren(...names.map((name) => {
      const button = el("button", { type: "button", "aria-pressed": String(name === chosen) }, name);
      button.addEventListener("click", () => pick(name));
      return button;
    }));
    if (held) box.querySelector('[aria-pressed="true"]').focus();
  }

  function chartLine(item, low, high, sum = false) {
    const scale = 1000 / Math.max(1, high - low);
    const zero = -low * scale;
    const length = Math.abs(item.value || 0) * scale;
    const colour = chart.by === "kind" && KINDS.includes(item.name) ? item.name
      : ALONE ? "anonymous" : item.value < 0 ? "down" : "up";
    const bar = sum ? el("span", { className: "bare" }) : svg("svg", { viewBox: "0 0 1000 16", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { x: item.value < 0 ? zero - length : zero, y: 3, width: Math.max(length, item.value ? 2 : 0), height: 10, fill: `var(--${colour})` }),
      svg("rect", { x: Math.min(zero, 999), y: 0, width: 1, height: 16, fill: "var(--rule)" }));
    const then = ALONE ? share(item) : `${size(item.before)} → ${size(item.after)}`;
    const clickable = !sum && !item.several;
    const made = el(clickable ? "button" : "div", { className: `line${sum ? " sum" : ""}`, ...(clickable ? { type: "button", title: `${item.name}\nClick to see only these` } : {}) },
      el("span", { className: "label" }, item.name), bar,
      el("span", { className: `n ${ALONE ? "" : item.value < 0 ? "down" : item.value ? "up" : ""}` }, figure(item.value)),
      el("span", { className: "n soft" }, then));
    if (clickable) made.addEventListener("click", () => narrowTo(item.name));
    return made;
  }

  function share(item) {
    const whole = D.totals[chart.column][1];
    return whole ? `${((100 * item.value) / whole).toFixed(1)} %` : "";
  }

  function narrowTo(name) {
    const plain = name.replace(/^[([](.*)[)\]]$/, "$1");
    const done = chart.by === "object" ? filterBy("words", name.startsWith("[") && KINDS.includes(plain) ? plain : name)
      : filterBy(chart.by, name) || filterBy("kind", plain) || filterBy("words", plain);
    if (done) byId("changes").scrollIntoView({ block: "start" });
  }

  // ---- the address space

  const KINDS = ["heap", "anonymous", "stack", "file", "shared-memory", "image", "device", "kernel", "reserved"];
  const WHEEL = ["#d8622a", "#3f7bd6", "#3a9a94", "#9a63c7", "#c9971a", "#c2527f", "#7f8d3d", "#5f6bd0", "#2e9e5b", "#a8713f"];
  const paint = { by: "kind", colours: new Map() };
  const BREAK = 2 ** 32; // bytes of nothing that start a new cluster
  const strips = [];

  function colours() {
    paint.colours = new Map(KINDS.concat("mixed").map((kind) => [kind, css(kind)]));
    paint.owners = new Map();
    for (const [name] of D.groups.owner) {
      const kind = name.replace(/^\((.*)\)$/, "$1");
      if (kind === name && paint.owners.size < WHEEL.length) paint.owners.set(name, WHEEL[paint.owners.size]);
    }
    for (const name of ["ink", "soft", "rule", "hair", "page", "up", "down", "other", "focus"]) paint[name] = css(name);
  }

  function ownerOf(side, at) {
    const full = text(side.owner[at]);
    for (const name of paint.owners.keys()) if (full === name || full.startsWith(`${name} `)) return name;
    return full ? "other owners" : "";
  }

  function colourOf(side, at) {
    const kind = text(side.kind[at]);
    if (paint.by === "owner" && kind !== "reserved") {
      const owner = ownerOf(side, at);
      return owner ? paint.owners.get(owner) || paint.colours.get("mixed") : paint.colours.get("reserved");
    }
    return paint.colours.get(kind) || paint.colours.get("mixed");
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
    canvas.addEventListener("click", (event) => { hover(strip, event); pick(strip); });
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
    const most = width > 560 ? 8 : 12;
    const breaks = strip.atoms.filter((atom) => atom.gap && atom.bytes >= BREAK).length;
    const total = strip.atoms.reduce((sum, atom) => sum + (atom.gap ? (atom.bytes >= BREAK ? 0 : 0.7) : weight(atom.bytes)), 0);
    let lines = 1;
    let unit = 0;
    for (; lines <= most; lines += 1) {
      unit = (lines * room * 0.97 - Math.min(breaks, lines * 8) * 26) / total;
      if (unit >= 3.2) break;
    }
    if (unit < 0.8) { // thousands: a texture says as much on fewer lines
      unit *= 4 / most;
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

  const BAR = { both: [0, 28], one: [0] };

  function paintStrip(strip) {
    const width = strip.canvas.clientWidth;
    if (!width) return;
    if (strip.width !== width) layout(strip, width);
    const ratio = Math.max(devicePixelRatio || 1, view.print ? 2 : 1);
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
      pen.fillStyle = colourOf(mappings, at);
      pen.globalAlpha = 0.3;
      const w = width(place);
      pen.fillRect(left, y, w, height);
      pen.globalAlpha = 1;
      if (mappings.rss[at] === null) { pen.globalAlpha = 0.75; pen.fillRect(left, y, w, height); }
      else if (held > 0) {
        const filled = Math.max(2, Math.min(1, held) * height);
        pen.fillRect(left, y + height - filled, w, filled);
      }
      pen.globalAlpha = 1;
    });
    if (atom.changed) {
      const moved = atom.row.figures[RESIDENT] || atom.row.figures[0] || 0;
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
    showTip(strip, strip.hits[at], event.clientX, event.clientY);
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

  function showTip(strip, atom, x, y) {
    const [name, ...lines] = describe(strip, atom);
    const tip = byId("tip");
    tip.replaceChildren(el("b", {}, name), ...lines.flatMap((told) => [el("br"), told]));
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${y + 18 + height > innerHeight ? y - height - 12 : y + 18}px`;
  }

  function pick(strip) {
    const atom = strip.hits[strip.hot];
    if (!atom) return;
    const side = strip.which.findLast((_, place) => atom.at[place] >= 0);
    const why = text(D.sides[side].why[atom.at[strip.which.indexOf(side)]]);
    byId("seen").textContent = [...describe(strip, atom), why].filter(Boolean).join(" · ");
    if (atom.row) showRow(atom.row);
  }

  function stripKey(strip, event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter" && strip.hot >= 0) { event.preventDefault(); pick(strip); return; }
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
      ? KINDS.filter((kind) => D.groups.kind.some(([name]) => name === kind)).map((kind) => [kind, paint.colours.get(kind)])
      : [...paint.owners];
    const buttons = names.map(([name, colour]) => {
      const changed = LEAVES.some((row) => row[paint.by] === name);
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

  function repaint() {
    colours();
    legend();
    strips.forEach(paintStrip);
  }

  // ---- light, dark, paper, size

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  function theme() {
    const button = byId("theme");
    const name = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`); };
    button.hidden = false;
    button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); repaint(); });
    dark.addEventListener("change", () => { name(); repaint(); });
    name();
  }

  let screenTheme = "";
  function paper(begin) {
    view.print = begin;
    if (begin) { screenTheme = root.dataset.theme || ""; root.dataset.theme = "light"; }
    else if (screenTheme) root.dataset.theme = screenTheme;
    else delete root.dataset.theme;
    draw(true);
    repaint();
  }

  let fitted = 0;
  function refit() {
    cancelAnimationFrame(fitted);
    fitted = requestAnimationFrame(() => { strips.forEach(paintStrip); draw(true); });
  }

  // ---- begin

  colours();
  byId("keys").hidden = false;
  theme();
  table();
  filters();
  space();
  refresh();
  growth();
  repaint();
  root.dataset.ready = "true";
})();
