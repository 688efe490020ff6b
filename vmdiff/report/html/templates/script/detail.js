// What is known of one row, unfolded below it.

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
