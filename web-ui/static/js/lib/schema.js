// SPDX-License-Identifier: Apache-2.0
// The API's own description (OpenAPI), read once: how long, how many, which words. Forms take their limits from it, so that the
// page cannot disagree with the server.
import { useEffect, useState } from "./html.js";
import { get } from "./api.js";
import { PATHS } from "./data.js";

let document_ = null;

const load = () => (document_ ||= get("/openapi.json").catch(() => {
  document_ = null;
  return {};
}));

function resolve(root, schema, depth = 0) {
  if (!schema?.$ref || depth > 8) return schema || {};
  const place = schema.$ref.replace(/^#\//, "").split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return resolve(root, place.reduce((node, part) => node?.[part], root), depth + 1);
}

function bodyOf(root, path, method) {
  const operation = root.paths?.[path]?.[method] || root.paths?.[`/api/v1${path}`]?.[method];
  return resolve(root, resolve(root, operation?.requestBody).content?.["application/json"]?.schema);
}

/** What each field of a kind's form may hold, by name: {min, max, maxLength, required}. */
export function limitsOf(root, kind) {
  const body = bodyOf(root, `/${PATHS[kind]}`, "post");
  const limits = {};
  for (const [name, given] of Object.entries(body.properties || {})) {
    const schema = resolve(root, given);
    limits[name] = {
      min: schema.minimum, max: schema.maximum, maxLength: schema.maxLength, required: (body.required || []).includes(name),
    };
  }
  return limits;
}

export function useLimits(kind) {
  const [limits, set] = useState({});
  useEffect(() => {
    let gone = false;
    load().then((root) => !gone && set(limitsOf(root, kind)));
    return () => { gone = true; };
  }, [kind]);
  return limits;
}
