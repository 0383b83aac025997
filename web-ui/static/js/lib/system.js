// SPDX-License-Identifier: Apache-2.0
// Which system the browser runs on, where keyboards differ: "mac", "windows" or "other".
const name = navigator.userAgentData?.platform || navigator.platform || "";

export const SYSTEM = /^mac/i.test(name) ? "mac" : /^win/i.test(name) ? "windows" : "other";
