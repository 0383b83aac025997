// SPDX-License-Identifier: Apache-2.0
// Where the page begins.
import { html, render } from "./lib/html.js";
import { serverIsLost } from "./lib/live.js";
import { findOut } from "./lib/session.js";
import { applyTheme } from "./lib/theme.js";
import { App } from "./app.js";
import { complain } from "./parts/toast.js";

applyTheme();
render(html`<${App} />`, document.getElementById("page"));

const RETRY_MS = 2000;
async function begin() {
  try {
    await findOut();
  } catch (error) {
    if (error.status && error.status !== 503) complain(error);
    serverIsLost();
    setTimeout(begin, RETRY_MS);
  }
}
begin();
