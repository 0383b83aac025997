// SPDX-License-Identifier: Apache-2.0
// What takes a while, as it goes on.
import { html, useEffect, useState } from "../lib/html.js";
import { get, items, remove } from "../lib/api.js";
import { sentence } from "../lib/format.js";
import { listen } from "../lib/live.js";
import { Progress } from "../parts/basics.js";
import { tried } from "../parts/toast.js";

/** All jobs that are known, the newest first. */
export function useJobs() {
  const [jobs, set] = useState([]);
  useEffect(() => {
    const read = () => get("/jobs").then((answer) => set(items(answer)), () => {});
    read();
    const ends = [listen("anew", read), listen("job", (job) => set((all) => {
      const known = all.some((one) => one.id === job.id);
      return known ? all.map((one) => (one.id === job.id ? { ...one, ...job } : one)) : [job, ...all];
    }))];
    return () => ends.forEach((end) => end());
  }, []);
  return jobs;
}

/** of(job): which of them are shown; finished ones that went well are not. */
export function Jobs({ of = () => true }) {
  const jobs = useJobs().filter((job) => job.state !== "done" && of(job));
  if (!jobs.length) return null;
  return html`<section class="card stack"><h2>${jobs.some((job) => job.state === "running") ? "Under way" : "What did not work"}</h2>${jobs.map((job) => html`<div class="stack tight" key=${job.id}>
    <div class="between"><span class="wrap">${job.what}</span>${job.state === "running"
      ? html`<button class="button plain slim" onClick=${() => tried(remove(`/jobs/${job.id}`))}>Cancel</button>` : html`<span class="state bad">Failed</span>`}</div>
    ${job.state === "running" ? html`<${Progress} at=${job.progress} label=${job.what} />` : html`<p class="small wrap">${sentence(job.error)}</p>`}</div>`)}</section>`;
}
