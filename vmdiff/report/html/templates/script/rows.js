// The rows of the table: what they hold, which of them pass the filters, and in what order.

const ROWS = D.rows.map(([parent, [word, title, kind, owner, path, perms, note, why], where, figures, before, after], at) => ({
  at, parent, where, figures,
  word: text(word), title: text(title), kind: text(kind), owner: text(owner), path: text(path),
  perms: text(perms), note: text(note), why: text(why),
  before: ALONE ? [] : before || [], after: (ALONE ? before : after) || [],
  members: [], owners: new Set(),
}));
L.row.forEach((at, leaf) => { if (at >= 0) ROWS[at].owners.add(text(L.owner[leaf])); });
for (const row of ROWS) if (row.parent >= 0) ROWS[row.parent].members.push(row);
const TOPS = ROWS.filter((row) => row.parent < 0);
const LEAVES = ROWS.filter((row) => !row.members.length);
const folds = (row) => row.members.length > 0;
const start = (row) => (row.where ? parseInt(row.where, 16) : Infinity);

const rowOf = SIDES.map(() => new Map()); // a mapping's place in its side -> its row
for (const row of LEAVES) {
  if (!ALONE) for (const at of row.before) rowOf[0].set(at, row);
  for (const at of row.after) rowOf[SIDES.length - 1].set(at, row);
}

// ---- what is chosen of them

const view = { sort: null, descending: true, words: "", kind: "", owner: "", change: "", least: 0, open: new Set(), detail: null, focus: 0 };
let entries = [];   // what the table shows: {row, level}
let matched = [];   // rows that pass the filters

const filtering = () => Boolean(view.words || view.kind || view.owner || view.change || view.least);

function hay(row) {
  row.hay ??= [row.title, row.word, row.kind, row.owner, row.path, row.where, row.note, row.perms].join("\n").toLowerCase();
  return row.hay;
}

function passes(row) {
  if (view.kind && row.kind !== view.kind) return false;
  if (view.owner && !row.owners.has(view.owner)) return false;
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
