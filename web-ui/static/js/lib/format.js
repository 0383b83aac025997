// SPDX-License-Identifier: Apache-2.0
// Numbers and moments as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(n) {
  if (n === undefined || n === null || Number.isNaN(Number(n))) return "–";
  let value = Number(n);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export const mebibytes = (n) => bytes(Number(n) * 1024 * 1024);
export const percent = (part) => `${Math.round(100 * part)} %`;
export const count = (n, one, many = `${one}s`) => `${Number(n).toLocaleString()} ${Number(n) === 1 ? one : many}`;

/** The store counts microseconds, some calls seconds; both since 1970. */
export function moment(time) {
  const n = Number(time);
  return new Date(n > 1e14 ? n / 1000 : n > 1e11 ? n : n * 1000);
}

const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"], [12, "month"], [Infinity, "year"]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(time) {
  if (!time) return "–";
  let difference = (moment(time) - Date.now()) / 1000;
  if (Math.abs(difference) < 45) return "just now";
  for (const [size, name] of STEPS) {
    if (Math.abs(difference) < size) return relative.format(Math.round(difference), name);
    difference /= size;
  }
  return "";
}

export const exactly = (time) => (time ? moment(time).toLocaleString() : "");

/** As what stands alone begins. */
export const sentence = (text = "") => text.charAt(0).toUpperCase() + text.slice(1);
