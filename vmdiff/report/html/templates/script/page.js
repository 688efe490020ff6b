// The page of a snapshot or of two: what is painted anew, and the beginning of it all.

function repaint() {
  colours();
  growth();
  legend();
  if (picture.tree) compose();
  strips.forEach(paintStrip);
  draw(true);
}

function resized() {
  if (picture.tree) compose();
  strips.forEach(paintStrip);
  draw(true);
}

colours();
byId("keys").hidden = false;
theme();
table();
filters();
space();
refresh();
growth();
legend();
strips.forEach(paintStrip);
composition();
root.dataset.ready = "true";
