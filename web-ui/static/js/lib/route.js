// SPDX-License-Identifier: Apache-2.0
// Where in the page one is, kept behind the address's "#": links and the browser's back button work, the server serves one page.
import { useEffect, useState } from "./html.js";

/** Whoever types an address may type anything. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** "#/desktops/ID?pool=X" as {path: ["desktops", "ID"], query: {pool: "X"}}. */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

export const link = (...path) => `#/${path.map(encodeURIComponent).join("/")}`;

export function go(...path) {
  location.hash = link(...path);
}

export function useRoute() {
  const [route, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => set(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
