// SPDX-License-Identifier: Apache-2.0
// The rooms of the page beside one's own desktops, in the order of the rail: where, what it is called, who may enter, which part.
import { MyDesktops } from "../my/desktops.js";

export const ROOMS = [
  { rooms: [{ path: "my", title: "My desktops", icon: "desk", part: MyDesktops }] },
];

export const roomOf = (path = "my") => ROOMS.flatMap((group) => group.rooms).find((room) => room.path === path);
