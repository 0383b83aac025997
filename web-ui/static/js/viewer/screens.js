// SPDX-License-Identifier: Apache-2.0
// The desktop's monitors on the page: puts canvases into their places, fits them, and turns what the person does there into what the
// SPICE session takes. One element a monitor; what is outside is the viewer's (viewer.js).
import { LOCKS } from "../../spice/inputs.js";

const WHEEL_STEP = 60; // CSS pixels a click of the wheel
const RESIZE_SETTLE_MS = 200;
const WIDTH_MIN = 320, HEIGHT_MIN = 200;
const PASTE_HEAD_START_MS = 60; // for the clipboard to be there before the key that pastes
const LOCK_KEYS = new Set(Object.keys(LOCKS));

export class Screens {
  /** holder: the element that everything is in. session(): the SPICE session, or null. onLeave(): the keyboard is to go elsewhere. */
  constructor(holder, { session, onLeave }) {
    this.holder = holder;
    this.session = session;
    this.onLeave = onLeave;
    this.count = 1;
    this.sharp = false;
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
    this.cursor = shape ? `url(${shape.url}) ${shape.x} ${shape.y}, default` : "none";
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

  /** Where there are no keys: a field that nobody sees has the device show its keyboard of glass, which tells of text alone. */
  makeGlass() {
    const field = document.createElement("textarea");
    field.className = "unseen";
    field.setAttribute("aria-label", "Keyboard of the desktop");
    field.tabIndex = -1;
    field.autocapitalize = "none";
    field.addEventListener("beforeinput", (event) => {
      if (event.inputType === "deleteContentBackward") this.inputs?.combination(["Backspace"]);
      else if (event.inputType === "insertLineBreak") this.inputs?.combination(["Enter"]);
      else if (event.data) this.inputs?.typeText(event.data);
      event.preventDefault();
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
    on("wheel", (event) => this.wheeled(event), { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.keyDown(event));
    on("keyup", (event) => this.keyUp(event));
    on("blur", () => this.inputs.letGo());
    on("focus", () => this.readClipboard());
    on("paste", (event) => this.pasted(event));
  }

  get inputs() {
    const inputs = this.session()?.inputs;
    return inputs?.linked ? inputs : null;
  }

  moved(screen, event) {
    if (!screen.canvas) return;
    if (document.pointerLockElement === screen.element) return this.inputs.motion(event.movementX, event.movementY);
    if (!this.absolute) return;
    const box = screen.canvas.getBoundingClientRect();
    const within = (value, size) => Math.max(0, Math.min(size - 1, Math.floor(value)));
    this.inputs.position(within((event.clientX - box.left) / screen.scale, screen.canvas.width),
      within((event.clientY - box.top) / screen.scale, screen.canvas.height), screen.id);
  }

  pressed(screen, event, down) {
    event.preventDefault();
    if (down) {
      screen.element.focus({ preventScroll: true });
      screen.element.setPointerCapture(event.pointerId);
      this.giveCopied();
      if (!this.absolute && document.pointerLockElement !== screen.element) return screen.element.requestPointerLock();
    }
    this.moved(screen, event);
    return this.inputs.button(event.button, down);
  }

  wheeled(event) {
    event.preventDefault();
    this.wheel += event.deltaMode ? event.deltaY * WHEEL_STEP : event.deltaY;
    const steps = Math.trunc(this.wheel / WHEEL_STEP);
    this.wheel -= steps * WHEEL_STEP;
    if (steps) this.inputs.wheel(steps);
  }

  keyDown(event) {
    if (event.isComposing) return;
    if (event.code === "F12" && event.shiftKey) {
      event.preventDefault();
      this.inputs.letGo();
      this.onLeave();
      return;
    }
    this.giveCopied();
    if (!LOCK_KEYS.has(event.code)) this.matchLocks(event);
    const pastes = (event.code === "KeyV" && (event.ctrlKey || event.metaKey)) || (event.code === "Insert" && event.shiftKey);
    if (pastes && !event.repeat) return this.holdForPaste(event); // the browser tells what is pasted only if the key is left to it
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat) return; // the guest's keyboard repeats by itself
    if (event.code && event.code !== "Unidentified") this.inputs.key(event.code, true);
    else if (event.key.length === 1) this.inputs.typeText(event.key);
  }

  keyUp(event) {
    event.preventDefault();
    event.stopPropagation();
    if (this.held && event.code === this.held.code) return this.releaseHeld(true);
    if (event.code) this.inputs.key(event.code, false);
    // While Meta is held, a Mac tells of no other key's coming up.
    if (event.code.startsWith("Meta")) this.inputs.letGo();
  }

  matchLocks(event) {
    if (!event.getModifierState) return;
    let locks = 0;
    for (const [name, bit] of Object.entries(LOCKS)) if (event.getModifierState(name)) locks |= bit;
    this.inputs.setLocks(locks);
  }

  // ---- the clipboard ----

  holdForPaste(event) {
    event.stopPropagation();
    this.held = { code: event.code, timer: setTimeout(() => this.releaseHeld(false), PASTE_HEAD_START_MS) };
  }

  releaseHeld(up) {
    const { code, timer } = this.held;
    clearTimeout(timer);
    this.held = null;
    this.inputs?.key(code, true);
    if (up) this.inputs?.key(code, false);
  }

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
