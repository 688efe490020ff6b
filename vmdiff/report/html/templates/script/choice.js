// Buttons of which one is chosen.

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
