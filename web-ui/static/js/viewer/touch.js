// SPDX-License-Identifier: Apache-2.0
// Fingers on glass as a mouse: a tap clicks, one that stays is the right button, one that moves drags, two that move turn the wheel.
const LONG_MS = 500;
const SLOP = 10; // CSS pixels that a finger may move and still stay

export class Touch {
  /** to(x, y), button(number, down), wheel(pixels): of the page's coordinates. */
  constructor({ to, button, wheel }) {
    Object.assign(this, { to, button, wheel });
    this.fingers = new Map();
    this.doing = ""; // "", "waiting", "dragging", "scrolling" or "done"
  }

  down({ pointerId, clientX: x, clientY: y }) {
    this.fingers.set(pointerId, { x, y, from: { x, y } });
    if (this.fingers.size === 1) {
      this.doing = "waiting";
      this.timer = setTimeout(() => this.click({ x, y }, 2), LONG_MS);
    } else if (this.fingers.size === 2) {
      this.end();
      this.doing = "scrolling";
    }
  }

  move({ pointerId, clientX: x, clientY: y }) {
    const finger = this.fingers.get(pointerId);
    if (!finger) return;
    const step = y - finger.y;
    Object.assign(finger, { x, y });
    if (this.doing === "waiting" && Math.hypot(x - finger.from.x, y - finger.from.y) > SLOP) {
      clearTimeout(this.timer);
      this.to(finger.from.x, finger.from.y);
      this.button(0, true);
      this.doing = "dragging";
    }
    if (this.doing === "dragging") this.to(x, y);
    if (this.doing === "scrolling") this.wheel(-step / this.fingers.size); // what is under the fingers goes with them
  }

  up({ pointerId }) {
    const finger = this.fingers.get(pointerId);
    if (!this.fingers.delete(pointerId)) return;
    if (this.doing === "waiting") this.click(finger, 0);
    if (this.doing !== "scrolling") this.end();
    if (!this.fingers.size) this.doing = "";
  }

  click({ x, y }, button) {
    clearTimeout(this.timer);
    this.doing = "done";
    this.to(x, y);
    this.button(button, true);
    this.button(button, false);
  }

  /** Whatever is under way ends; the button comes up. */
  end() {
    clearTimeout(this.timer);
    if (this.doing === "dragging") this.button(0, false);
    this.doing = "done";
  }
}
