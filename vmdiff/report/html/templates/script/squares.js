// Areas to scale: rectangles as square as can be, the largest first (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000).

function squarify(values, box) {
  const sum = values.reduce((total, value) => total + value, 0);
  const scale = sum ? (box.w * box.h) / sum : 0;
  const found = [];
  let { x, y, w, h } = box;
  let at = 0;
  while (at < values.length) {
    const side = Math.min(w, h);
    let end = at;
    let area = 0;
    let worst = Infinity;
    for (; end < values.length; end += 1) { // a row takes one more as long as its squares get better
      const next = area + values[end] * scale;
      const thick = next / side;
      const ratio = Math.max(thick / ((values[at] * scale) / thick), (values[at] * scale) / thick / thick,
        thick / ((values[end] * scale) / thick), (values[end] * scale) / thick / thick);
      if (ratio > worst) break;
      worst = ratio;
      area = next;
    }
    if (end === at) { end = at + 1; area = values[at] * scale; }
    const thick = side ? area / side : 0;
    let along = 0;
    for (; at < end; at += 1) {
      const length = thick ? (values[at] * scale) / thick : 0;
      found.push(w >= h ? { x, y: y + along, w: thick, h: length } : { x: x + along, y, w: length, h: thick });
      along += length;
    }
    if (w >= h) { x += thick; w = Math.max(0, w - thick); } else { y += thick; h = Math.max(0, h - thick); }
  }
  return found;
}
