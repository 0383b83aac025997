// SPDX-License-Identifier: Apache-2.0
// The store's words, as people say them.

/** How a desktop is: [what people say, the look of it]. */
export const STATES = {
  stopped: ["Off", ""], preparing: ["Being prepared", "wait"], starting: ["Starting", "wait"], running: ["On", "good"],
  paused: ["Paused", "wait"], suspending: ["Going to sleep", "wait"], suspended: ["Asleep", ""], stopping: ["Shutting down", "wait"],
  failed: ["Failed", "bad"],
};
export const stateOf = (live, wanted) => live?.state || (wanted === "running" ? "starting" : wanted === "suspended" ? "suspended" : "stopped");
export const isBusy = (state) => STATES[state]?.[1] === "wait" && state !== "paused";

export const ROLES = { user: "User", operator: "Operator", admin: "Administrator" };
export const ROLE_HINTS = {
  user: "Uses the desktops given to them.", operator: "Also runs everybody's desktops, images and templates’ copies.",
  admin: "Also decides who has what, and everything else.",
};
export const FIRMWARE = { uefi: "UEFI", bios: "BIOS" };
export const GUEST_OS = { linux: "Linux", windows: "Windows", other: "Something else" };
export const POOL_TYPES = { persistent: "Kept", disposable: "Fresh each time" };
export const POOL_HINTS = {
  persistent: "Everybody gets one desktop and keeps it, with what is on it.", disposable: "A fresh desktop at every sign-in; what was on it is gone afterwards.",
};
export const NETWORK_TYPES = { nat: "Behind the host", bridge: "In the office network", vlan: "In a VLAN", passt: "By the host's connections" };
export const NETWORK_HINTS = {
  nat: "Desktops reach the outside through the host, which gives them addresses.",
  bridge: "Desktops are in the host's own network, like any PC.",
  vlan: "As in the office network, but in a VLAN of its own.",
  passt: "Each desktop alone, without any setting on the host.",
};
export const WAYS = { none: "Not allowed", "to-desktop": "Into the desktop only", "from-desktop": "Out of the desktop only", both: "Both ways" };
export const IMAGE_TYPES = { disk: "Disk with a system on it", iso: "Disc (ISO) to install from" };
export const IMAGE_STATES = { coming: ["Arriving", "wait"], ready: ["Ready", "good"], failed: ["Failed", "bad"] };
export const EVENTS = {
  "sign-in": "signed in", "sign-in-failed": "tried to sign in, and could not", "sign-out": "signed out", connected: "opened",
  disconnected: "left", watching: "looked on at", "watching-refused": "was not allowed to look on at",
};
/** What was done to a desktop that is no change of it in the store. */
export const DONE = { reset: "restarted hard", snapshot: "took a snapshot of", revert: "took back to a snapshot", forget: "deleted a snapshot of" };
/** What things of a kind are called: one, many. */
export const KINDS = {
  user: ["user", "users"], group: ["group", "groups"], network: ["network", "networks"], image: ["image", "images"], policy: ["policy", "policies"],
  template: ["template", "templates"], pool: ["pool", "pools"], desktop: ["desktop", "desktops"], assignment: ["assignment", "assignments"],
  host: ["host", "hosts"], setting: ["setting", "settings"],
};
/** usbredir's filters that say all or nothing; any other is rules of one's own. */
export const USB_NONE = "-1,-1,-1,-1,0", USB_ALL = "-1,-1,-1,-1,1";
export const usbWords = (filter) => ({ "": "Not allowed", [USB_NONE]: "Not allowed", [USB_ALL]: "Every device" }[filter || ""] || "By rules");
