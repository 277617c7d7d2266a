// The widget itself: what pointers and keys do, and what it shares with the kernel.

const CLICK = 4;
const REACH = { mouse: 7, pen: 12, touch: 20 };
const MOST_UNDONE = 100;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CURSORS = { "-1-1": "nwse-resize", "11": "nwse-resize", "1-1": "nesw-resize", "-11": "nesw-resize" };

const bitmapOf = (view) => (view && view.byteLength ? createImageBitmap(new Blob([view])) : Promise.resolve(null));

class Picker {
  constructor(model, root) {
    this.model = model;
    const [columns, rows] = model.get("size");
    this.sheet = new Sheet(columns, rows, model.get("step"));
    this.view = new View(this.sheet);
    this.scene = {
      image: null, mask: null, maskShown: true, maskStrength: 0.7, boxes: [], means: [], selected: -1, draft: null,
      colours: model.get("colours"),
    };
    Object.assign(this, { active: 0, gesture: null, space: false, undone: [], pointers: new Map(), place: null });
    this.panel = new Panel(model.get("classes"), model.get("colours"), model.get("title"), {
      choose: (label) => this.choose(label),
      select: (k) => this.select(k),
      remove: () => this.remove(),
      undo: () => this.undo(),
      classify: () => this.classify(),
      tint: () => this.tint(),
      fit: () => this.look(() => this.view.fit()),
      zoom: (factor) => this.look(() => this.view.zoom(factor)),
    });
    this.canvas = element("canvas", {
      tabindex: 0, role: "application",
      "aria-label": "Preview of the scan. Press N for a new box, arrows to move it, Shift and arrows to resize it.",
    });
    this.stage = element("div", { class: "spinekit-picker-stage" }, this.canvas);
    root.classList.add("spinekit-picker");
    root.append(this.panel.bar,
      element("div", { class: "spinekit-picker-body" }, this.stage, this.panel.side),
      this.panel.message, this.panel.help);
    this.listen(root);
  }

  listen(root) {
    const on = (target, name, does, options) => target.addEventListener(name, does.bind(this), options);
    on(this.canvas, "pointerdown", this.pressed);
    on(this.canvas, "pointermove", this.dragged);
    on(this.canvas, "pointerup", this.released);
    on(this.canvas, "pointercancel", this.cancelled);
    on(this.canvas, "pointerleave", () => this.hover(null));
    on(this.canvas, "wheel", this.wheeled, { passive: false });
    // The middle button would scroll, or paste.
    on(this.canvas, "mousedown", (event) => event.button === 1 && event.preventDefault());
    on(this.canvas, "auxclick", (event) => event.preventDefault());
    on(root, "keydown", this.typed);
    on(root, "keyup", (event) => event.key === " " && this.hold(false));
    on(this.canvas, "blur", () => this.hold(false));
    this.heard = {
      "change:boxes": () => this.receive(),
      "change:mask": () => this.loadMask(),
      "change:legend": () => this.showTint(),
      "change:message": () => this.panel.say(this.model.get("message")),
      "change:busy": () => this.showBusy(),
    };
    for (const [name, does] of Object.entries(this.heard)) this.model.on(name, does);
    this.observer = new ResizeObserver(() => this.fill());
    this.observer.observe(this.stage);
  }

  close() {
    for (const [name, does] of Object.entries(this.heard)) this.model.off(name, does);
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  async start() {
    this.receive();
    this.choose(0);
    this.showBusy();
    this.fill();
    const image = await bitmapOf(this.model.get("preview"));
    const flat = new OffscreenCanvas(image.width, image.height).getContext("2d");
    flat.drawImage(image, 0, 0);
    this.pixels = flat.getImageData(0, 0, image.width, image.height).data;
    this.scene.image = image;
    await this.loadMask();
    this.show();
    this.hover(null);
  }

  // ---- what is seen

  fill() {
    const width = this.stage.clientWidth;
    if (!width) return;
    const { previewColumns, previewRows } = this.sheet;
    const most = Math.max(280, Math.min(640, 0.75 * window.innerHeight));
    const height = Math.round(clamp((width * previewRows) / previewColumns, Math.min(280, most), most));
    this.canvas.style.height = `${height}px`;
    this.view.resize(width, height);
    this.look();
  }

  look(change) {
    if (change) change();
    this.panel.zoomed.textContent = this.view.fitted ? "Fit" : `${Math.round(100 * this.view.scale)} %`;
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => drawScene(this.canvas, this.view, this.scene));
  }

  show() {
    const { scene, pixels, sheet } = this;
    scene.means = scene.boxes.map((box) => (pixels ? sheet.meanColour(pixels, box) : null));
    this.panel.showClasses(this.active, scene.boxes);
    this.panel.showBoxes(scene.boxes, scene.means, scene.selected);
    this.panel.undo.disabled = !this.undone.length;
    this.draw();
  }

  hover(at) {
    this.place = null;
    if (at && this.pixels && this.view.isOnPicture(at)) {
      const scan = this.view.toScan(at);
      const pixel = { x: Math.floor(scan.x / this.sheet.step), y: Math.floor(scan.y / this.sheet.step) };
      const k = 4 * (pixel.y * this.sheet.previewColumns + pixel.x);
      this.place = { x: Math.floor(scan.x), y: Math.floor(scan.y), pixel, colour: [...this.pixels.slice(k, k + 3)] };
    }
    this.panel.showPlace(this.scene.image, this.place, this.sheet);
    if (!this.gesture) this.canvas.style.cursor = at ? this.cursorAt(at) : "";
  }

  cursorAt(at) {
    const box = this.scene.boxes[this.scene.selected];
    if (this.space) return "grab";
    const handle = box && this.view.handleAt(box, at, REACH.mouse);
    if (handle) return CURSORS[handle.join("")] || (handle[0] ? "ew-resize" : "ns-resize");
    return box && this.view.isInside(box, at) ? "move" : "crosshair";
  }

  hold(space) {
    this.space = space;
    this.canvas.style.cursor = space ? "grab" : "crosshair";
  }

  // ---- boxes, and the kernel

  receive() {
    const count = this.scene.boxes.length;
    this.scene.boxes = (this.model.get("boxes") || []).map((box) => [...box]);
    if (this.scene.boxes.length !== count && !this.sending) this.scene.selected = -1;
    this.show();
    this.panel.say(this.model.get("message"));
  }

  commit(boxes, selected) {
    this.undone = [...this.undone.slice(1 - MOST_UNDONE), this.scene.boxes.map((box) => [...box])];
    this.send(boxes, selected);
  }

  send(boxes, selected) {
    Object.assign(this.scene, { boxes, selected });
    this.sending = true;
    this.model.set("boxes", boxes.map((box) => [...box]));
    this.sending = false;
    this.model.save_changes();
    this.show();
    this.panel.say(this.scene.mask ? "The boxes have changed: classify again to see what they do." : "");
  }

  replace(k, box) {
    this.commit(this.scene.boxes.map((old, n) => (n === k ? box : old)), k);
  }

  remove() {
    const { boxes, selected } = this.scene;
    if (selected >= 0) this.commit(boxes.filter((_, k) => k !== selected), -1);
  }

  undo() {
    if (this.undone.length) this.send(this.undone.pop(), -1);
  }

  add(box) {
    if (this.sheet.isTooSmall(box)) {
      this.panel.say(`Too small: a box has at least one pixel of the preview, ${this.sheet.step} of the scan. Zoom in, or drag further.`);
      this.draw();
    } else this.commit([...this.scene.boxes, box], this.scene.boxes.length);
  }

  select(k) {
    this.scene.selected = k;
    this.show();
  }

  choose(label) {
    this.active = label;
    this.panel.showClasses(label, this.scene.boxes);
  }

  classify() {
    if (this.panel.classify.disabled) return;
    this.panel.classify.disabled = true;
    this.panel.say("Classifying\u2026");
    // With the boxes: changes of state wait for the kernel's answers, messages overtake them.
    this.model.send({ kind: "classify", boxes: this.scene.boxes });
  }

  showBusy() {
    const busy = Boolean(this.model.get("busy"));
    this.panel.classify.disabled = busy;
    this.panel.say(busy ? "Classifying\u2026" : this.model.get("message"));
  }

  async loadMask() {
    this.scene.mask = await bitmapOf(this.model.get("mask"));
    this.panel.tint.checked = true;
    this.panel.classify.disabled = Boolean(this.model.get("busy"));
    this.showTint();
    this.panel.say(this.model.get("message"));
  }

  showTint() {
    this.panel.tinting.hidden = !this.scene.mask;
    this.panel.legend.textContent = this.model.get("legend");
    this.tint();
  }

  tint() {
    this.scene.maskShown = this.panel.tint.checked;
    this.scene.maskStrength = this.panel.strength.value / 100;
    this.draw();
  }

  // ---- pointers

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  pressed(event) {
    const at = this.at(event);
    this.canvas.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, at);
    this.canvas.setPointerCapture(event.pointerId);
    if (this.pointers.size === 2) {
      this.scene.draft = null;
      this.gesture = { kind: "pinch", last: this.pinch() };
    } else if (event.button === 1 || (event.button === 0 && this.space)) {
      this.gesture = { kind: "pan", last: at };
      this.canvas.style.cursor = "grabbing";
    } else if (event.button === 0) this.gesture = this.gestureAt(at, REACH[event.pointerType] || REACH.mouse);
    event.preventDefault();
  }

  gestureAt(at, reach) {
    const { boxes, selected } = this.scene;
    const box = boxes[selected];
    const handle = box && this.view.handleAt(box, at, reach);
    const start = { from: at, scan: this.view.toScan(at), box };
    if (handle) return { kind: "resize", handle, ...start };
    if (box && this.view.isInside(box, at)) return { kind: "move", ...start };
    return { kind: "draw", ...start };
  }

  pinch() {
    const [a, b] = [...this.pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  dragged(event) {
    const at = this.at(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, at);
    const gesture = this.gesture;
    if (gesture && gesture.kind === "pan") {
      this.look(() => this.view.pan(at.x - gesture.last.x, at.y - gesture.last.y));
      gesture.last = at;
    } else if (gesture && gesture.kind === "pinch" && this.pointers.size === 2) {
      const now = this.pinch();
      this.look(() => {
        this.view.pan(now.x - gesture.last.x, now.y - gesture.last.y);
        this.view.zoom(now.apart / gesture.last.apart, now);
      });
      gesture.last = now;
    } else if (gesture && gesture.scan && this.isDrag(at)) {
      this.scene.draft = this.drafted(at);
      this.draw();
    }
    this.hover(at);
  }

  isDrag(at) {
    const { from, far } = this.gesture;
    this.gesture.far = far || Math.hypot(at.x - from.x, at.y - from.y) >= CLICK;
    return this.gesture.far;
  }

  drafted(at) {
    const { kind, box, handle, scan } = this.gesture;
    const now = this.view.toScan(at);
    if (kind === "draw") return this.sheet.boxBetween(this.active, scan, now);
    if (kind === "move") return this.sheet.moved(box, now.x - scan.x, now.y - scan.y);
    return this.sheet.resized(box, handle, now);
  }

  released(event) {
    const at = this.at(event);
    const gesture = this.gesture;
    this.pointers.delete(event.pointerId);
    if (gesture && gesture.scan) {
      const box = this.isDrag(at) ? this.drafted(at) : null;
      this.scene.draft = null;
      if (!box) this.select(this.view.boxAt(this.scene.boxes, at));
      else if (gesture.kind === "draw") this.add(box);
      else this.replace(this.scene.selected, box);
    }
    this.gesture = null;
    this.hover(at);
    this.draw();
  }

  cancelled(event) {
    this.pointers.delete(event.pointerId);
    this.gesture = this.scene.draft = null;
    this.draw();
  }

  wheeled(event) {
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(-clamp(event.deltaY * lines, -120, 120) / (event.ctrlKey ? 100 : 400));
    // Where there is no further to go, the notebook scrolls on.
    if (this.view.zoom(factor, this.at(event))) {
      event.preventDefault();
      this.look();
      this.hover(this.at(event));
    }
  }

  // ---- keys

  typed(event) {
    const typing = event.target.matches("input[type=range]");
    if (!typing && this.key(event)) event.preventDefault();
    event.stopPropagation();
  }

  /** Do what a key is for; false if it is for nothing here. */
  key(event) {
    const { key, code, shiftKey, ctrlKey, metaKey, altKey } = event;
    const { boxes, selected } = this.scene;
    const digit = /^Digit[1-9]$/.test(code) ? Number(code.slice(5)) - 1 : Number(/^[1-9]$/.test(key) ? key : 0) - 1;
    if ((ctrlKey || metaKey) && key.toLowerCase() === "z") this.undo();
    else if (ctrlKey || metaKey || altKey) return false;
    else if (digit >= 0) this.digit(digit, shiftKey);
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape") this.escape();
    else if (key in ARROWS) this.arrow(ARROWS[key], shiftKey);
    else if (key === " " && event.target === this.canvas) this.hold(true);
    else if (key === "+" || key === "=") this.look(() => this.view.zoom(1.5));
    else if (key === "-") this.look(() => this.view.zoom(1 / 1.5));
    else if (key === "0") this.look(() => this.view.fit());
    else if (key === "n" || key === "N") this.addInTheMiddle();
    else if (key === "c" || key === "C") this.classify();
    else if ((key === "m" || key === "M") && this.scene.mask) {
      this.panel.tint.checked = !this.panel.tint.checked;
      this.tint();
    } else if (key === "Enter" && event.target === this.canvas && boxes.length) this.select((selected + 1) % boxes.length);
    else return false;
    return true;
  }

  digit(label, relabel) {
    if (label >= this.panel.names.length) return;
    const { boxes, selected } = this.scene;
    if (relabel && selected >= 0) this.replace(selected, [label, ...boxes[selected].slice(1)]);
    else this.choose(label);
  }

  escape() {
    if (this.gesture) this.gesture = this.scene.draft = null;
    else this.scene.selected = -1;
    this.show();
  }

  arrow([across, down], resize) {
    const { boxes, selected } = this.scene;
    const [step, box] = [this.sheet.step, boxes[selected]];
    if (!box) this.look(() => this.view.pan(-60 * across, -60 * down));
    else if (!resize) this.replace(selected, this.sheet.moved(box, across * step, down * step));
    else {
      const corner = { x: box[1] + box[3] + across * step, y: box[2] + box[4] + down * step };
      this.replace(selected, this.sheet.resized(box, [Math.abs(across), Math.abs(down)], corner));
    }
  }

  addInTheMiddle() {
    const { view } = this;
    const half = Math.min(view.width, view.height) / 12;
    const corner = (sign) => view.toScan({ x: view.width / 2 + sign * half, y: view.height / 2 + sign * half });
    this.add(this.sheet.boxBetween(this.active, corner(-1), corner(1)));
  }
}

function render({ model, el }) {
  const root = element("div");
  el.append(root);
  const picker = new Picker(model, root);
  picker.start();
  return () => picker.close();
}

export default { render };
