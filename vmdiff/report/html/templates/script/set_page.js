// The page of a set of processes, or of two.

function repaint() {
  colours();
  growth();
  if (picture.tree) compose();
}

function resized() {
  if (picture.tree) compose();
}

// What a bar of the chart leads to: the same group in the picture.
function narrowTo(name) {
  pick({ by: chart.by, column: chart.column });
  const found = picture.tree.kids.get(name);
  if (found) enter(found);
  byId("composition").scrollIntoView({ block: "start" });
}

colours();
theme();
growth();
composition();
root.dataset.ready = "true";
