// What narrows the table: words, kind, owner, change and size.

function filters() {
  const words = el("input", { type: "search", name: "words", placeholder: "Name, owner, path or address", "aria-label": "Filter by text", autocomplete: "off", spellcheck: false });
  const least = el("input", { type: "text", name: "least", placeholder: ALONE ? "At least 1 MiB" : "At least 64 KiB", "aria-label": "Smallest size to show", autocomplete: "off" });
  const kind = select("kind", "Every kind", LEAVES.map((row) => row.kind));
  const owner = select("owner", "Every owner", LEAVES.flatMap((row) => [...row.owners]));
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

// What a bar of the chart leads to.
function narrowTo(name) {
  const plain = name.replace(/^[([](.*)[)\]]$/, "$1");
  const done = chart.by === "object" ? filterBy("words", name.startsWith("[") && KINDS.includes(plain) ? plain : name)
    : filterBy(chart.by, name) || filterBy("kind", plain) || filterBy("words", plain);
  if (done) byId("changes").scrollIntoView({ block: "start" });
}
