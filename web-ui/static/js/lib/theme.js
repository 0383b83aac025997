// SPDX-License-Identifier: Apache-2.0
// Light or dark: as the system has it, unless somebody chose here.
const KEY = "carrel-theme";

export const theme = () => localStorage.getItem(KEY) || "system";

export function setTheme(choice) {
  if (choice === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, choice);
    document.documentElement.dataset.theme = choice;
  }
}

export const applyTheme = () => setTheme(theme());
