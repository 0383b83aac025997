// SPDX-License-Identifier: Apache-2.0
// Somebody asks to look on at one's desktop: a question that stays until it is answered.
import { html, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { useEvents } from "../lib/live.js";
import { Name } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { tried } from "../parts/toast.js";

export function WatchAsked() {
  const [asked, set] = useState([]);
  useEvents("watch", (data) => set((all) =>
    data.ended ? all.filter((one) => one.request !== data.request) : [...all.filter((one) => one.request !== data.request), data]), []);
  const [first] = asked;
  if (!first) return null;
  const answer = (agreed) => () => {
    set((all) => all.filter((one) => one !== first));
    tried(post(`/watch/${first.request}`, { agreed }));
  };
  return html`<${Dialog} key=${first.request} title="May somebody look on?" onClose=${answer(false)}>
    <p><b>${first.who}</b> would like to see the screen of your desktop <b><${Name} kind="desktop" id=${first.desktop} none="" /></b>, to help you. They see what you see until you or they end it.</p>
    <div class="form"><div class="ends"><button class="button" onClick=${answer(false)}>No</button>
      <button class="button main" onClick=${answer(true)}>Yes, they may look</button></div></div></${Dialog}>`;
}
