// SPDX-License-Identifier: Apache-2.0
// Markup in template literals, and the hooks: what every part of the page begins with.
import htm from "htm";
import { h } from "preact";

export { Fragment, render } from "preact";
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export const html = htm.bind(h);
