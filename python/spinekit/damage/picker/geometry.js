// Boxes, [class, x, y, width, height] in pixels of the scan, and how its preview lies in the view.

const HANDLES = [[-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0]];
const GREATEST_SCALE = 40;

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** Scan and preview: a pixel of the preview covers step x step pixels of the scan. */
class Sheet {
  constructor(columns, rows, step) {
    Object.assign(this, { columns, rows, step });
    this.previewColumns = Math.floor(columns / step);
    this.previewRows = Math.floor(rows / step);
    this.shownColumns = this.previewColumns * step;
    this.shownRows = this.previewRows * step;
  }

  /** The box of whole pixels around two points of the scan; it may be empty. */
  boxBetween(label, from, to) {
    const left = Math.floor(clamp(Math.min(from.x, to.x), 0, this.shownColumns));
    const top = Math.floor(clamp(Math.min(from.y, to.y), 0, this.shownRows));
    const right = Math.ceil(clamp(Math.max(from.x, to.x), 0, this.shownColumns));
    const bottom = Math.ceil(clamp(Math.max(from.y, to.y), 0, this.shownRows));
    return [label, left, top, right - left, bottom - top];
  }

  isTooSmall(box) {
    return box[3] < this.step || box[4] < this.step;
  }

  moved([label, x, y, width, height], dx, dy) {
    return [
      label,
      clamp(Math.round(x + dx), 0, this.columns - width),
      clamp(Math.round(y + dy), 0, this.rows - height),
      width,
      height,
    ];
  }

  /** The box with the edges of a handle at a point; the others stay, and it keeps a pixel of the preview. */
  resized([label, x, y, width, height], [across, down], point) {
    const [left, right] = this.edges(x, x + width, across, point.x, this.shownColumns);
    const [top, bottom] = this.edges(y, y + height, down, point.y, this.shownRows);
    return [label, left, top, right - left, bottom - top];
  }

  edges(low, high, which, at, end) {
    if (which < 0) return [Math.floor(clamp(at, 0, Math.max(0, high - this.step))), high];
    if (which > 0) return [low, Math.ceil(clamp(at, low + this.step, Math.max(end, low + this.step)))];
    return [low, high];
  }

  /** The pixels of the preview that a box touches. */
  touched([, x, y, width, height]) {
    const left = Math.min(Math.floor(x / this.step), this.previewColumns - 1);
    const top = Math.min(Math.floor(y / this.step), this.previewRows - 1);
    return {
      left,
      top,
      right: clamp(Math.ceil((x + width) / this.step), left + 1, this.previewColumns),
      bottom: clamp(Math.ceil((y + height) / this.step), top + 1, this.previewRows),
    };
  }

  /** Mean colour of a box on the preview, [r, g, b]. */
  meanColour(pixels, box) {
    const { left, top, right, bottom } = this.touched(box);
    const sums = [0, 0, 0];
    for (let row = top; row < bottom; row++) {
      const end = 4 * (row * this.previewColumns + right);
      for (let k = 4 * (row * this.previewColumns + left); k < end; k += 4) {
        for (let c = 0; c < 3; c++) sums[c] += pixels[k + c];
      }
    }
    return sums.map((sum) => Math.round(sum / ((right - left) * (bottom - top))));
  }
}

/** Where the preview lies in the view: a pixel p of the preview is at p * scale + offset, in CSS pixels. */
class View {
  constructor(sheet) {
    Object.assign(this, { sheet, width: 1, height: 1, scale: 1, x: 0, y: 0, fitted: true });
  }

  get fittingScale() {
    return Math.min(this.width / this.sheet.previewColumns, this.height / this.sheet.previewRows);
  }

  resize(width, height) {
    Object.assign(this, { width, height });
    if (this.fitted) this.fit();
    else this.settle();
  }

  fit() {
    const { previewColumns, previewRows } = this.sheet;
    this.scale = this.fittingScale;
    this.x = (this.width - previewColumns * this.scale) / 2;
    this.y = (this.height - previewRows * this.scale) / 2;
    this.fitted = true;
  }

  /** Zoom about a place of the view; false where there is no further to go. */
  zoom(factor, at = { x: this.width / 2, y: this.height / 2 }) {
    const scale = clamp(this.scale * factor, this.fittingScale, Math.max(GREATEST_SCALE, this.fittingScale));
    if (scale === this.scale) return false;
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.settle();
    return true;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.settle();
  }

  /** Keep the picture in the view, without moving what the pointer is on where it can stay. */
  settle() {
    if (this.scale <= this.fittingScale) {
      this.fit();
      return;
    }
    this.fitted = false;
    this.x = this.settled(this.x, this.width, this.sheet.previewColumns * this.scale);
    this.y = this.settled(this.y, this.height, this.sheet.previewRows * this.scale);
  }

  settled(offset, room, length) {
    return clamp(offset, Math.min(0, room - length), Math.max(0, room - length));
  }

  toScan({ x, y }) {
    const unit = this.sheet.step / this.scale;
    return { x: (x - this.x) * unit, y: (y - this.y) * unit };
  }

  onScreen([, x, y, width, height]) {
    const unit = this.scale / this.sheet.step;
    return { x: x * unit + this.x, y: y * unit + this.y, width: width * unit, height: height * unit };
  }

  isOnPicture({ x, y }) {
    const scan = this.toScan({ x, y });
    return scan.x >= 0 && scan.y >= 0 && scan.x < this.sheet.shownColumns && scan.y < this.sheet.shownRows;
  }

  handleAt(box, point, reach) {
    const shown = this.onScreen(box);
    // Corners before edges, so that small boxes can be made larger both ways.
    const ordered = [...HANDLES].sort((a, b) => Math.abs(b[0] * b[1]) - Math.abs(a[0] * a[1]));
    return ordered.find(([across, down]) => {
      const place = handlePlace(shown, across, down);
      return Math.abs(point.x - place.x) <= reach && Math.abs(point.y - place.y) <= reach;
    });
  }

  isInside(box, point, margin = 0) {
    const shown = this.onScreen(box);
    return (
      point.x >= shown.x - margin && point.x <= shown.x + shown.width + margin &&
      point.y >= shown.y - margin && point.y <= shown.y + shown.height + margin
    );
  }

  /** The smallest box at a place: what lies within a larger one can be reached. */
  boxAt(boxes, point) {
    let found = -1;
    boxes.forEach((box, k) => {
      const smaller = found < 0 || box[3] * box[4] < boxes[found][3] * boxes[found][4];
      if (smaller && this.isInside(box, point, 3)) found = k;
    });
    return found;
  }
}

const handlePlace = (shown, across, down) => ({
  x: shown.x + ((across + 1) / 2) * shown.width,
  y: shown.y + ((down + 1) / 2) * shown.height,
});
