// SPDX-License-Identifier: Apache-2.0
// The desktop's monitors on the page: puts canvases into their places, fits them, and turns what the person does there into what the
// SPICE session takes. One element a monitor; what is outside is the viewer's (viewer.js).
import { Keyboard } from "./keyboard.js";
import { Touch } from "./touch.js";

// What a click of the wheel is, by WheelEvent.deltaMode: pixels, lines, pages.
const WHEEL_STEPS = [100, 3, 1];
const TOUCH_STEP = 30; // CSS pixels
const RESIZE_SETTLE_MS = 200;
const WIDTH_MIN = 320, HEIGHT_MIN = 200;

/** What is typed to make one word of another. */
function changeOf(from, to) {
  const [before, after] = [[...from], [...to]];
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  return "\b".repeat(before.length - same) + after.slice(same).join("");
}

export class Screens {
  /** holder: the element that everything is in. session(): the SPICE session, or null. onLeave(): the keyboard is to go elsewhere. */
  constructor(holder, { session, onLeave }) {
    this.holder = holder;
    this.session = session;
    this.keyboard = new Keyboard({ inputs: () => this.inputs, onKey: () => this.giveCopied(), onLeave });
    this.count = 1;
    this.sharp = !Number.isInteger(devicePixelRatio); // letters made larger by a fraction are blurred
    this.screens = [];
    this.cursor = "default";
    this.absolute = true;
    this.copied = null;
    this.wheel = 0;
    this.glass = this.makeGlass();
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(holder);
    this.setCount(1);
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.timer);
    this.screens.forEach((screen) => screen.listening.abort());
    this.glass.remove();
  }

  setCount(count) {
    this.count = count;
    while (this.screens.length > count) {
      const screen = this.screens.pop();
      screen.listening.abort();
      screen.element.remove();
    }
    while (this.screens.length < count) this.screens.push(this.makeScreen(this.screens.length));
    this.session()?.displays.forEach((display) => display.canvas && this.surface(display.id, display.canvas));
    this.resized();
  }

  makeScreen(id) {
    const element = document.createElement("div");
    element.className = "viewer-screen";
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", id ? `Monitor ${id + 1} of the desktop` : "The desktop. Shift and F12 together lead back to the buttons above it.");
    this.holder.append(element);
    const screen = { id, element, canvas: null, listening: new AbortController() };
    screen.touch = new Touch({
      to: (x, y) => this.place(screen, x, y),
      button: (number, down) => this.inputs?.button(number, down),
      wheel: (pixels) => this.turn(pixels / TOUCH_STEP),
    });
    this.listen(screen);
    return screen;
  }

  /** A monitor's picture, of a new size. */
  surface(id, canvas) {
    const screen = this.screens[id];
    if (!screen) return;
    screen.canvas = canvas;
    screen.element.replaceChildren(canvas);
    this.fit(screen);
  }

  fit(screen) {
    const { canvas } = screen;
    if (!canvas) return;
    const room = this.room();
    const unit = this.sharp ? devicePixelRatio : 1;
    const scale = Math.min(1 / unit, room.width / canvas.width, room.height / canvas.height);
    screen.scale = scale;
    canvas.style.imageRendering = Number.isInteger(scale * devicePixelRatio) ? "pixelated" : "auto";
    canvas.style.width = `${canvas.width * scale}px`;
    canvas.style.height = `${canvas.height * scale}px`;
    screen.element.style.cursor = this.absolute ? this.cursor : "default";
  }

  room() {
    return { width: Math.max(1, this.holder.clientWidth / this.count - (this.count > 1 ? 2 : 0)), height: Math.max(1, this.holder.clientHeight) };
  }

  resized() {
    this.screens.forEach((screen) => this.fit(screen));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.askForSize(), RESIZE_SETTLE_MS);
  }

  /** The monitors that fit the window: the guest is asked for them. */
  askForSize() {
    const room = this.room();
    const unit = this.sharp ? devicePixelRatio : 1;
    const width = Math.max(WIDTH_MIN, Math.floor(room.width * unit) & ~1), height = Math.max(HEIGHT_MIN, Math.floor(room.height * unit) & ~1);
    const wish = this.screens.map((screen, i) => ({ width, height, x: i * width, y: 0 }));
    const agent = this.session()?.agent;
    if (agent?.running) agent.setMonitors(wish);
  }

  setCursor(shape) {
    const unit = this.sharp ? devicePixelRatio : 1;
    const image = shape && (unit === 1 ? `url(${shape.url})` : `image-set(url(${shape.url}) ${unit}x)`);
    this.cursor = shape ? `${image} ${Math.floor(shape.x / unit)} ${Math.floor(shape.y / unit)}, default` : "none";
    this.screens.forEach((screen) => { screen.element.style.cursor = this.cursor; });
  }

  /** Where the guest has only a mouse, the browser's pointer is held and its motions are sent. */
  setAbsolute(absolute) {
    this.absolute = absolute;
    if (absolute && document.pointerLockElement) document.exitPointerLock();
  }

  focus() {
    this.screens[0]?.element.focus({ preventScroll: true });
  }

  /**
   * Where there are no keys: a field that nobody sees has the device show its keyboard of glass, which tells of text alone, and of words
   * in the making again and again, as they are by then.
   */
  makeGlass() {
    let word = "";
    const field = document.createElement("textarea");
    field.className = "unseen";
    field.setAttribute("aria-label", "Keyboard of the desktop");
    field.tabIndex = -1;
    field.autocapitalize = "none";
    field.addEventListener("beforeinput", (event) => {
      const text = event.data || "";
      if (event.inputType === "insertCompositionText") {
        this.inputs?.typeText(changeOf(word, text));
        word = text;
      } else {
        this.inputs?.typeText({ deleteContentBackward: "\b", insertLineBreak: "\n" }[event.inputType] || text);
        event.preventDefault();
      }
    });
    field.addEventListener("compositionend", () => {
      word = "";
      field.value = "";
    });
    this.holder.append(field);
    return field;
  }

  showKeyboard() {
    this.glass.focus({ preventScroll: true });
  }

  // ---- what the person does ----

  listen(screen) {
    const { element, listening } = screen;
    const on = (type, handler, options = {}) => element.addEventListener(type, (event) => this.inputs && handler(event), { ...options, signal: listening.signal });
    on("pointermove", (event) => this.moved(screen, event));
    on("pointerdown", (event) => this.pressed(screen, event, true));
    on("pointerup", (event) => this.pressed(screen, event, false));
    on("pointercancel", (event) => event.pointerType === "touch" && screen.touch.up(event));
    on("wheel", (event) => this.wheeled(event), { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.keyboard.down(event));
    on("keyup", (event) => this.keyboard.up(event));
    on("blur", () => this.keyboard.letGo());
    on("focus", () => this.readClipboard());
    on("paste", (event) => this.pasted(event));
  }

  get inputs() {
    const inputs = this.session()?.inputs;
    return inputs?.linked ? inputs : null;
  }

  moved(screen, event) {
    if (event.pointerType === "touch") return screen.touch.move(event);
    if (document.pointerLockElement === screen.element) return this.inputs.motion(event.movementX, event.movementY);
    return this.place(screen, event.clientX, event.clientY);
  }

  /** The pointer, at a place of the page. */
  place(screen, x, y) {
    if (!screen.canvas || !this.absolute || !this.inputs) return;
    const box = screen.canvas.getBoundingClientRect();
    const within = (value, size) => Math.max(0, Math.min(size - 1, Math.floor(value)));
    this.inputs.position(within((x - box.left) / screen.scale, screen.canvas.width),
      within((y - box.top) / screen.scale, screen.canvas.height), screen.id);
  }

  pressed(screen, event, down) {
    event.preventDefault();
    if (down) {
      screen.element.focus({ preventScroll: true });
      screen.element.setPointerCapture(event.pointerId);
      this.giveCopied();
      if (event.pointerType === "touch") return screen.touch.down(event);
      if (!this.absolute && document.pointerLockElement !== screen.element) return screen.element.requestPointerLock();
    }
    if (event.pointerType === "touch") return screen.touch.up(event);
    this.moved(screen, event);
    return this.inputs.button(event.button, down);
  }

  wheeled(event) {
    event.preventDefault();
    this.turn(event.deltaY / WHEEL_STEPS[event.deltaMode]);
  }

  /** The wheel, by so many clicks, which add up to whole ones. */
  turn(clicks) {
    this.wheel += clicks;
    const steps = Math.trunc(this.wheel);
    this.wheel -= steps;
    if (steps) this.inputs?.wheel(steps);
  }

  // ---- the clipboard ----

  pasted(event) {
    event.preventDefault();
    this.offer(event.clipboardData?.getData("text/plain") || "");
  }

  /** Text of this computer's clipboard, for the guest to paste. */
  offer(text) {
    return Boolean(text) && Boolean(this.session()?.agent?.offer(text));
  }

  /** Where the browser lets the page read it, without asking each time. */
  async readClipboard() {
    try {
      const permission = await navigator.permissions.query({ name: "clipboard-read" });
      if (permission.state === "granted" && document.hasFocus()) this.offer(await navigator.clipboard.readText());
    } catch { /* this browser does not say: pasting by key works all the same */ }
  }

  /** What was copied in the guest goes to this computer's clipboard; where a browser wants a click first, with the next one. */
  copiedThere(text) {
    this.copied = text;
    this.giveCopied();
  }

  giveCopied() {
    if (this.copied === null || !navigator.clipboard) return;
    const text = this.copied;
    this.copied = null;
    navigator.clipboard.writeText(text).catch(() => {
      this.copied ??= text;
    });
  }
}
