// The composition as a tree: groups, what is in them, and single pieces of memory at its ends.

const LEAF = L.title.map((_, at) => at);
const held = (at, side, column) => {
  const figures = side === "before" ? L.before[at] : L.after[at] ?? L.before[at];
  return figures.length ? figures[column] : 0;
};

// What a picture can be cut by, and the names from the first cut down to a piece.
const beside = (at) => (text(L.object[at]).startsWith("[") ? text(L.owner[at]) : text(L.object[at]));
const CUTS = {
  owner: (at) => [text(L.owner[at]), beside(at)],
  kind: (at) => [text(L.kind[at]), beside(at)],
  object: (at) => [text(L.object[at]), text(L.owner[at])],
};
if (L.process) {
  const process = (at) => text(L.process[at]);
  for (const [name, cut] of Object.entries(CUTS)) CUTS[name] = (at) => [cut(at)[0], process(at)];
  CUTS.role = (at) => [text(L.role[at]), process(at), text(L.owner[at])];
  CUTS.process = (at) => [process(at), text(L.owner[at])];
}
const BY = L.process ? ["process", "role", "owner", "kind", "object"] : ["owner", "kind", "object"];

const node = (name, parent) => ({ name, parent, before: 0, after: 0, up: 0, down: 0, unknown: 0, kids: new Map(), leaf: -1 });

function pour(into, at, before, after) {
  const change = (after || 0) - (before || 0);
  into.before += before || 0;
  into.after += after || 0;
  into.up += Math.max(0, change);
  into.down += Math.max(0, -change);
  into.unknown += before === null || after === null ? 1 : 0;
  for (const name of ["kind", "owner"]) into[name] = into[name] === undefined || into[name] === L[name][at] ? L[name][at] : null;
}

function grow(by, column) {
  const top = node("all", null);
  // Of an owner whose figure is unknown, because some of it could not be split, all that is known is not split.
  const unsplit = new Map(D.groups.owner.map(([name, ...columns]) => [name, columns[column]]));
  for (const at of LEAF) {
    const names = CUTS[by](at);
    const figures = SIDES.length === 1 ? [0, held(at, "after", column)] : [held(at, "before", column), held(at, "after", column)];
    const place = by === "owner" && unsplit.get(names[0]);
    const lost = place && names[0] !== NOT_SPLIT ? place.map((value) => value === null) : [];
    const known = figures.map((value, side) => (lost.at(side - figures.length) ? 0 : value));
    const moved = figures.map((value, side) => (lost.at(side - figures.length) ? value : 0));
    if (known.some((value) => value !== 0)) hang(top, at, names, known);
    if (moved.some(Boolean)) hang(top, at, [NOT_SPLIT, ...names], moved);
  }
  return shorten(top);
}

function hang(top, at, names, [before, after]) {
  let here = top;
  pour(here, at, before, after);
  for (const name of names) {
    if (!here.kids.has(name)) here.kids.set(name, node(name, here));
    here = here.kids.get(name);
    pour(here, at, before, after);
  }
  const end = node(text(L.title[at]), here);
  pour(end, at, before, after);
  end.leaf = at;
  here.kids.set(at, end);
}

// A group of one thing is that thing.
function shorten(top) {
  for (const kid of top.kids.values()) {
    let only = kid;
    while (only.kids.size === 1) [only] = only.kids.values();
    kid.kids = only.kids;
    kid.leaf = only.leaf;
    for (const below of kid.kids.values()) below.parent = kid;
    shorten(kid);
  }
  return top;
}

const trail = (here) => (here.parent ? [...trail(here.parent), here] : []); // the way down to it
const piecesIn = (here) => (here.leaf >= 0 ? 1 : [...here.kids.values()].reduce((sum, kid) => sum + piecesIn(kid), 0));
