// Everything around the picture: buttons, the list of boxes, the magnifier, what is said.

const LOUPE_SIDE = 112;

const grouped = (value) => Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab asks what has the focus, not what is around it, before it takes a key for itself.
  made.setAttribute("data-lm-suppress-shortcuts", "true");
  made.append(...children);
  return made;
}

const button = (text, title, onclick, more = {}) =>
  element("button", { type: "button", title, onclick, ...more }, text);

function swatch(colour, kind) {
  const made = element("span", { class: `spinekit-picker-${kind}` });
  made.style.background = colour;
  return made;
}

/** Controls of a picker; `act` holds what they do. */
class Panel {
  constructor(names, colours, title, act) {
    Object.assign(this, { names, colours, act });
    this.classes = names.map((name, label) => {
      const key = element("span", { class: "spinekit-picker-key" }, String(label + 1));
      key.style.background = colours[label];
      key.style.color = isDark(colours[label]) ? "#ffffff" : "#000000";
      const count = element("span", { class: "spinekit-picker-count" });
      const made = button("", `Draw boxes of ${name} (key ${label + 1})`, () => act.choose(label));
      made.append(key, name, count);
      return { button: made, count };
    });
    this.zoomed = button("100 %", "Show the whole picture (key 0)", () => act.fit());
    this.remove = button("Delete", "Delete the selected box (Delete)", () => act.remove());
    this.undo = button("Undo", "Take back the last change (Ctrl+Z)", () => act.undo());
    this.classify = button("Classify preview", "Learn the colours in the boxes and tint the damage (key C)",
      () => act.classify(), { class: "spinekit-picker-main" });
    this.tint = element("input", { type: "checkbox", checked: true, onchange: () => act.tint() });
    this.strength = element("input", {
      type: "range", min: 10, max: 100, value: 70, title: "Strength of the tint", "aria-label": "strength of the tint",
      oninput: () => act.tint(),
    });
    this.legend = element("span");
    this.tinting = element("span", { class: "spinekit-picker-tinting", hidden: true },
      element("label", { title: "Show the tint (key M)" }, this.tint, " ", this.legend), this.strength);
    this.bar = element("div", { class: "spinekit-picker-bar", role: "toolbar", "aria-label": "Boxes" },
      element("span", { class: "spinekit-picker-group", role: "group", "aria-label": "Class" },
        ...this.classes.map((one) => one.button)),
      element("span", { class: "spinekit-picker-group" },
        button("\u2212", "Zoom out (key \u2212)", () => act.zoom(1 / 1.5)), this.zoomed,
        button("+", "Zoom in (key +)", () => act.zoom(1.5))),
      element("span", { class: "spinekit-picker-group" }, this.undo, this.remove),
      this.classify, this.tinting);
    this.loupe = element("canvas", { class: "spinekit-picker-loupe", "aria-hidden": "true" });
    this.place = element("div", { class: "spinekit-picker-place" });
    this.heading = element("div", { class: "spinekit-picker-heading" }, "Boxes and mean colours");
    this.list = element("div", { class: "spinekit-picker-list", role: "listbox", "aria-label": "Boxes" });
    this.side = element("div", { class: "spinekit-picker-side" },
      ...(title ? [element("div", { class: "spinekit-picker-title", title }, title)] : []),
      element("div", { class: "spinekit-picker-look" }, this.loupe, this.place), this.heading, this.list);
    this.message = element("div", { class: "spinekit-picker-message", role: "status", "aria-live": "polite" });
    this.help = element("div", { class: "spinekit-picker-help" });
    const keys = [
      ["drag", "draws a box"], ["click", "selects, then drag it or its handles"], ["1\u20139", "class"],
      ["Shift+1\u20139", "class of the box"], ["Del", "deletes"], ["wheel", "zooms"],
      ["Space+drag", "moves the picture"], ["N", "new box"], ["arrows", "move it"], ["Shift+arrows", "resize it"], ["C", "classifies"], ["M", "hides the tint"],
    ];
    for (const [key, does] of keys) {
      this.help.append(element("span", {}, element("kbd", {}, key), ` ${does}`));
    }
  }

  showClasses(active, boxes) {
    this.classes.forEach(({ button: made, count }, label) => {
      const number = boxes.filter((box) => box[0] === label).length;
      count.textContent = String(number);
      made.setAttribute("aria-pressed", String(label === active));
      made.setAttribute("aria-label", `${this.names[label]}, ${number} boxes`);
    });
  }

  showBoxes(boxes, means, selected) {
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...boxes.map((box, k) => this.item(box, means[k], k, k === selected)));
    if (!boxes.length) this.list.append(element("p", {}, "None yet."));
    this.missing = this.names.filter((_, label) => !boxes.some((box) => box[0] === label));
    const item = this.list.querySelector("[aria-selected=true]");
    if (item) {
      // Not scrollIntoView: that would scroll the notebook too.
      const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
      if (top < this.list.scrollTop) this.list.scrollTop = top;
      else if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
      if (focused) item.focus({ preventScroll: true });
    }
    this.remove.disabled = selected < 0;
  }

  item(box, mean, k, selected) {
    const [label, x, y, width, height] = box;
    const key = element("span", { class: "spinekit-picker-key" }, String(label + 1));
    key.style.background = this.colours[label];
    key.style.color = isDark(this.colours[label]) ? "#ffffff" : "#000000";
    const sides = `${grouped(width)} \u00d7 ${grouped(height)}`;
    const children = [key, ...(mean ? [swatch(cssColour(mean), "mean")] : []),
      element("span", { class: "spinekit-picker-sides" }, sides), element("small", {}, `at ${grouped(x)}, ${grouped(y)}`)];
    return element("button", {
      type: "button", role: "option", "aria-selected": String(selected), onclick: () => this.act.select(k),
      title: `${this.names[label]}: ${sides} pixels${mean ? `, mean colour ${mean.join(", ")}` : ""}`,
    }, ...children);
  }

  showPlace(image, place, sheet) {
    drawLoupe(this.loupe, image, place && place.pixel, LOUPE_SIDE);
    const lines = place
      ? [`x ${grouped(place.x)}`, `y ${grouped(place.y)}`, `RGB ${place.colour.join(" ")}`]
      : ["Scan", `${grouped(sheet.columns)} \u00d7 ${grouped(sheet.rows)}`, "pixels", "Preview",
        sheet.step > 1 ? `1 of ${sheet.step} \u00d7 ${sheet.step}` : "all of them"];
    this.place.replaceChildren(...lines.map((line) => element("div", {}, line)));
    if (place) this.place.append(swatch(cssColour(place.colour), "mean"));
  }

  get hint() {
    if (this.missing.length) return `Drag over the picture: boxes of ${this.missing.join(" and ")} are missing.`;
    return this.tinting.hidden
      ? "Classify the preview to see what the colours in these boxes tell apart."
      : "Where the tint is wrong, draw more boxes and classify again.";
  }

  say(text) {
    this.message.classList.toggle("spinekit-picker-said", Boolean(text));
    this.message.textContent = text || this.hint;
  }
}
