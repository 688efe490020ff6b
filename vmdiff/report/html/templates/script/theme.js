// Paper and size, besides light and dark; and the box beside the mouse. What is to be painted anew is each page's `repaint`.

let onPaper = false;

function theme() {
  darkButton(repaint);
  addEventListener("resize", () => refit());
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
}

let screenTheme = "";
function paper(begin) {
  onPaper = begin;
  if (begin) { screenTheme = root.dataset.theme || ""; root.dataset.theme = "light"; }
  else if (screenTheme) root.dataset.theme = screenTheme;
  else delete root.dataset.theme;
  repaint();
}

let fitted = 0;
function refit() {
  cancelAnimationFrame(fitted);
  fitted = requestAnimationFrame(resized);
}

function tip([name, ...lines], x, y) {
  const box = byId("tip");
  box.replaceChildren(el("b", {}, name), ...lines.flatMap((line) => [el("br"), line]));
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - width - 8))}px`;
  box.style.top = `${y + 18 + height > innerHeight ? y - height - 12 : y + 18}px`;
}

