// Light, dark, paper and size; and the beginning of it all.

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
  fitted = requestAnimationFrame(() => { if (picture.tree) compose(); strips.forEach(paintStrip); draw(true); });
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
composition();
root.dataset.ready = "true";
