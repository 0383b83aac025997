// SPDX-License-Identifier: Apache-2.0
// The REST API under /api/v1 (web-ui/README.md): JSON in and out, errors as ApiError.

import { sentence } from "./format.js";

const ROOT = "/api/v1";

let csrf = "";
let onSignedOut = () => {};

/** What each request that changes something has to carry; GET /session tells it. */
export function setCsrf(token) {
  csrf = token || "";
}

/** Called when the session is found to be over. */
export function whenSignedOut(callback) {
  onSignedOut = callback;
}

// A message about a field begins with the field's name: [which, the sentence], which is shown beside that field.
function taken(message, field) {
  const named = /^([a-z0-9_]+): (.+)$/s.exec(message);
  const text = named && (!field || named[1] === field) ? named[2] : message;
  return [field || named?.[1] || "", sentence(text)];
}

/** code: the API's word ("in-use"); field: which of the fields that were sent is wrong, or ""; status 0: nobody answered. */
export class ApiError extends Error {
  constructor(status, { code, message, field } = {}, retryAfter = 0) {
    const [about, text] = taken(message || "the server cannot do this now", field);
    super(text);
    this.status = status;
    this.code = code || "failed";
    this.field = about;
    this.retryAfter = retryAfter;
  }
}

async function failure(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiError(response.status, body.error, Number(response.headers.get("Retry-After")) || 0);
}

async function send(method, path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  if (method !== "GET" && csrf) headers["X-Carrel-CSRF"] = csrf;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.seen) headers["If-Match"] = `"${options.seen}"`;
  try {
    return await fetch(ROOT + path, {
      method, headers, credentials: "same-origin", cache: "no-store", signal: options.signal,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "unreachable", message: "The server does not answer. Your change was perhaps not made." });
  }
}

/** @returns what the answer's body says; null where it says nothing. */
export async function request(method, path, options = {}) {
  const response = await send(method, path, options);
  if (!response.ok) {
    const error = await failure(response);
    if (error.status === 401 && !options.signingIn) onSignedOut(error);
    throw error;
  }
  const text = response.status === 204 ? "" : await response.text();
  return text ? JSON.parse(text) : null;
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body = {}, options) => request("POST", path, { ...options, body });
export const put = (path, body, options) => request("PUT", path, { ...options, body });
/** seen: the revision the person looked at. */
export const patch = (path, body, seen) => request("PATCH", path, { body, seen });
export const remove = (path, seen) => request("DELETE", path, { seen });

/** Lists come as {items}, or bare. */
export const items = (answer) => (Array.isArray(answer) ? answer : answer?.items) || [];

/** A query string of what is given. */
export function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== "") search.append(name, one);
  const text = search.toString();
  return text ? `?${text}` : "";
}

/**
 * Sends a file as the bytes of an image. fetch() cannot tell how far it is, so this is XMLHttpRequest.
 * @returns {{done: Promise, cancel: function}}
 */
export function upload(path, file, onProgress) {
  const xhr = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    xhr.onload = () => {
      let body = null;
      try { body = JSON.parse(xhr.responseText || "null"); } catch { /* not JSON: the status says enough */ }
      if (xhr.status >= 200 && xhr.status < 300) resolve(body);
      else reject(new ApiError(xhr.status, body?.error));
    };
    xhr.onerror = () => reject(new ApiError(0, { message: "The connection was lost before the whole file had arrived." }));
    xhr.onabort = () => reject(new ApiError(0, { code: "cancelled", message: "Cancelled." }));
    xhr.open("PUT", ROOT + path);
    if (csrf) xhr.setRequestHeader("X-Carrel-CSRF", csrf);
    xhr.setRequestHeader("Content-Type", "application/octet-stream");
    xhr.send(file);
  });
  return { done, cancel: () => xhr.abort() };
}

export const address = (path) => ROOT + path;
