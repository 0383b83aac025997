// SPDX-License-Identifier: Apache-2.0
// The rooms of the page, in the order of the rail: where, what it is called, who may enter, which part.
import { MyDesktops } from "../my/desktops.js";
import { Desktops } from "./desktops.js";
import { Assignments } from "./give.js";
import { House } from "./house.js";
import { Images } from "./images.js";
import { Networks, Policies, Pools, Templates } from "./kind-room.js";
import { Overview } from "./overview.js";
import { Groups, Users } from "./people.js";
import { Settings } from "./settings.js";
import { Audit, Sessions } from "./watching.js";

/** admin: only for administrators; the rest is for operators too. */
export const ROOMS = [
  { rooms: [{ path: "my", title: "My desktops", icon: "desk", part: MyDesktops }, { path: "overview", title: "Overview", icon: "gauge", part: Overview }] },
  {
    title: "Desktops", rooms: [
      { path: "desktops", title: "Desktops", icon: "screens", part: Desktops }, { path: "pools", title: "Pools", icon: "stack", part: Pools },
      { path: "templates", title: "Templates", icon: "copy", part: Templates }, { path: "images", title: "Images", icon: "disc", part: Images },
    ],
  },
  {
    title: "People", rooms: [
      { path: "users", title: "Users", icon: "user", part: Users, admin: true }, { path: "groups", title: "Groups", icon: "users", part: Groups, admin: true },
      { path: "assignments", title: "Who has what", icon: "gift", part: Assignments, admin: true }, { path: "sessions", title: "Signed in", icon: "eye", part: Sessions, admin: true },
    ],
  },
  {
    title: "House", rooms: [
      { path: "networks", title: "Networks", icon: "network", part: Networks }, { path: "policies", title: "Policies", icon: "shield", part: Policies },
      { path: "audit", title: "Log", icon: "list", part: Audit, admin: true }, { path: "house", title: "Host", icon: "desk", part: House, admin: true },
      { path: "settings", title: "Settings", icon: "settings", part: Settings, admin: true },
    ],
  },
];

export const roomOf = (path = "my") => ROOMS.flatMap((group) => group.rooms).find((room) => room.path === path);
