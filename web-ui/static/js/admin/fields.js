// SPDX-License-Identifier: Apache-2.0
// The fields of each kind's form (editor.js says what their keys mean), in plain words.
import { FIRMWARE, GUEST_OS, IMAGE_TYPES, NETWORK_HINTS, NETWORK_TYPES, POOL_HINTS, POOL_TYPES, ROLE_HINTS, ROLES, USB_NONE, WAYS } from "../lib/words.js";

const choices = (words, hints = {}) => Object.entries(words).map(([word, text]) => [word, text, hints[word]]);
const NAME = { name: "name", label: "Name", required: true, autofocus: true };
const DESCRIPTION = { name: "description", label: "A line about it", more: true };

const NO_LIMIT = "At most; 0: no limit. From its next start on.";
const MACHINE = [
  { name: "memory", type: "memory", label: "Memory", required: true, start: 4096 },
  { name: "vcpus", type: "number", label: "Processors", required: true, start: 2 },
  { name: "guest_os", type: "select", label: "System", options: choices(GUEST_OS), start: "linux" },
];
const MORE_MACHINE = [
  { name: "firmware", type: "select", label: "Starts by", options: choices(FIRMWARE), start: "uefi", more: true },
  { name: "secure_boot", type: "check", label: "Secure Boot", hint: "Starts only systems that are signed.", more: true, when: (values) => values.firmware !== "bios" },
  { name: "tpm", type: "check", label: "TPM 2.0", hint: "Windows 11 wants one.", more: true },
  { name: "monitors", type: "number", label: "Screens a user may have", start: 1, more: true },
  { name: "cpu_percent", type: "number", label: "Processor time, percent of one", hint: NO_LIMIT, start: 0, more: true },
  { name: "cpu_weight", type: "number", label: "Share of processors when they are busy", hint: "Against those of others. 0: 50 for each of its own.", start: 0, more: true },
  { name: "disk_read_mib", type: "number", label: "MiB a second from disks", hint: NO_LIMIT, start: 0, more: true },
  { name: "disk_write_mib", type: "number", label: "MiB a second to disks", hint: NO_LIMIT, start: 0, more: true },
  { name: "disk_read_ops", type: "number", label: "Reads a second from disks", hint: NO_LIMIT, start: 0, more: true },
  { name: "disk_write_ops", type: "number", label: "Writes a second to disks", hint: NO_LIMIT, start: 0, more: true },
];
const PARTS = [
  { name: "disks", type: "disks", label: "Disks and drives, in the order of starting" },
  { name: "nics", type: "nics", label: "Network cards" },
];
const POLICY = { name: "policy", type: "ref", kind: "policy", label: "What its users may", none: "Nothing beyond screen and keys", more: true };

export const FIELDS = {
  template: [NAME, ...MACHINE, ...PARTS, ...MORE_MACHINE, DESCRIPTION],
  desktop: [NAME, ...MACHINE, ...PARTS, { ...POLICY, none: "As its pool says, else nothing beyond screen and keys" }, ...MORE_MACHINE, DESCRIPTION],
  pool: [
    NAME,
    { name: "template", type: "ref", kind: "template", label: "Made from", required: true },
    { name: "type", type: "choice", label: "What its users get", options: choices(POOL_TYPES, POOL_HINTS), start: "persistent", onlyNew: true },
    { name: "size", type: "number", label: "At most so many desktops", required: true, start: 10 },
    { name: "spares", type: "number", label: "Of these, started ahead", hint: "So that nobody waits. Each takes its memory.", start: 1 },
    { ...POLICY, more: false },
    DESCRIPTION,
  ],
  network: [
    NAME,
    { name: "type", type: "choice", label: "How desktops reach the outside", options: choices(NETWORK_TYPES, NETWORK_HINTS), start: "nat", onlyNew: true },
    { name: "bridge", label: "The host's bridge", hint: "As “ip link” on the host calls it.", onlyNew: true, required: true, when: (values) => values.type === "bridge" || values.type === "vlan" },
    { name: "vlan", type: "number", label: "VLAN", onlyNew: true, required: true, when: (values) => values.type === "vlan" },
    { name: "isolated", type: "check", label: "Desktops cannot reach one another", start: true },
    DESCRIPTION,
  ],
  policy: [
    NAME,
    { name: "clipboard", type: "select", label: "Copying text", options: choices(WAYS), start: "both" },
    { name: "file_transfer", type: "select", label: "Moving files", options: choices(WAYS), start: "none" },
    { name: "usb", type: "usb", label: "USB devices of their own", start: USB_NONE },
    DESCRIPTION,
  ],
  image: [NAME, { name: "type", type: "choice", label: "What it is", options: choices(IMAGE_TYPES), start: "disk", onlyNew: true }, { ...DESCRIPTION, more: false }],
  user: [
    { ...NAME, label: "Name to sign in with", autocapitalize: "none" },
    { name: "full_name", label: "Full name" },
    { name: "role", type: "choice", label: "What they may do", options: choices(ROLES, ROLE_HINTS), start: "user" },
    { name: "password", type: "password", label: "Password", onlyNew: true, hint: "They can change it themselves.", when: (values) => !values.source || values.source === "local" },
    { name: "source", label: "Directory that knows them", hint: "For people of your office's directory. Leave it empty for others.", onlyNew: true, more: true },
    { name: "disabled", type: "check", label: "May not sign in", onlyOld: true },
  ],
  group: [NAME, { ...DESCRIPTION, more: false }],
};
