// The picture, its boxes and the magnifier, on canvases.

const HANDLE_SIDE = 8;
const LOUPE_PIXELS = 17;

const isDark = (colour) => {
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 60;
};
const edgeOf = (colour) => (isDark(colour) ? "#ffffff" : "#000000");
const cssColour = (rgb) => `rgb(${rgb.join(", ")})`;

/** Make a canvas as fine as the screen; return its context in CSS pixels. */
function contextOf(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function drawScene(canvas, view, scene) {
  const context = contextOf(canvas, view.width, view.height);
  const [width, height] = [view.sheet.previewColumns * view.scale, view.sheet.previewRows * view.scale];
  context.imageSmoothingEnabled = view.scale < 3;
  context.imageSmoothingQuality = "high";
  if (scene.image) context.drawImage(scene.image, view.x, view.y, width, height);
  if (scene.mask && scene.maskShown) {
    context.imageSmoothingEnabled = false;
    context.globalAlpha = scene.maskStrength;
    context.drawImage(scene.mask, view.x, view.y, width, height);
    context.globalAlpha = 1;
  }
  scene.boxes.forEach((box, k) => {
    if (k !== scene.selected) drawBox(context, view.onScreen(box), box[0], scene, scene.means[k], false);
  });
  if (scene.selected >= 0) {
    const box = scene.boxes[scene.selected];
    drawBox(context, view.onScreen(box), box[0], scene, scene.means[scene.selected], true);
  }
  if (scene.draft) {
    context.setLineDash([6, 4]);
    drawBox(context, view.onScreen(scene.draft), scene.draft[0], scene, null, false);
    context.setLineDash([]);
  }
}

function drawBox(context, { x, y, width, height }, label, scene, mean, selected) {
  const colour = scene.colours[label];
  context.lineJoin = "round";
  for (const [style, line] of [[edgeOf(colour), selected ? 6 : 4], [colour, selected ? 3 : 2]]) {
    context.globalAlpha = style === colour ? 1 : 0.7;
    Object.assign(context, { strokeStyle: style, lineWidth: line });
    context.strokeRect(x, y, width, height);
  }
  context.globalAlpha = 1;
  if (mean && x + width > 0 && y + height > 0) drawTag(context, x, y, colour, label, mean);
  if (!selected) return;
  for (const [across, down] of HANDLES) {
    const place = handlePlace({ x, y, width, height }, across, down);
    Object.assign(context, { fillStyle: "#ffffff", strokeStyle: "#000000", lineWidth: 1.25 });
    context.beginPath();
    context.rect(place.x - HANDLE_SIDE / 2, place.y - HANDLE_SIDE / 2, HANDLE_SIDE, HANDLE_SIDE);
    context.fill();
    context.stroke();
  }
}

/** The key of a box's class and its mean colour, above its corner, below where there is no room. */
function drawTag(context, x, y, colour, label, mean) {
  const [left, top] = [Math.max(x - 1, 1), y >= 20 ? y - 19 : y + 3];
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.fillRect(left, top, 17, 16);
  context.fillStyle = cssColour(mean);
  context.fillRect(left + 17, top, 17, 16);
  Object.assign(context, { strokeStyle: edgeOf(colour), lineWidth: 1 });
  context.strokeRect(left + 0.5, top + 0.5, 33, 15);
  Object.assign(context, {
    fillStyle: isDark(colour) ? "#ffffff" : "#000000",
    font: "600 12px system-ui, sans-serif",
    textAlign: "center",
    textBaseline: "middle",
  });
  context.fillText(String(label + 1), left + 8.5, top + 8.5);
}

/** Pixels of the preview around one, large. */
function drawLoupe(canvas, image, at, side) {
  const context = contextOf(canvas, side, side);
  if (!image || !at) return;
  const pixel = side / LOUPE_PIXELS;
  const half = (LOUPE_PIXELS - 1) / 2;
  context.imageSmoothingEnabled = false;
  context.drawImage(
    image, (half - at.x) * pixel, (half - at.y) * pixel, image.width * pixel, image.height * pixel,
  );
  for (const [style, line] of [["#000000", 3], ["#ffffff", 1.25]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: line });
    context.strokeRect(half * pixel, half * pixel, pixel, pixel);
  }
}
