// SPDX-License-Identifier: Apache-2.0
// A connection to a desktop: the main channel, and the others that the server says there are. It ends as a whole: when one channel
// is lost, all are closed, and whoever began it begins another with a new ticket.
import { Agent } from "./agent.js";
import { Channel, CURSOR, DISPLAY, INPUTS, MAIN } from "./channel.js";
import { CursorChannel } from "./cursor.js";
import { DisplayChannel } from "./display.js";
import { InputsChannel } from "./inputs.js";
import { Writer } from "./wire.js";

const INIT = 103, CHANNELS_LIST = 104, MOUSE_MODE = 105, AGENT_CONNECTED = 107, AGENT_DISCONNECTED = 108, AGENT_DATA = 109, AGENT_TOKEN = 110,
  AGENT_CONNECTED_TOKENS = 115;
const ATTACH_CHANNELS = 104, MOUSE_MODE_REQUEST = 105, AGENT_START = 106, TO_AGENT_DATA = 107, TO_AGENT_TOKEN = 108;
const AGENT_CONNECTED_TOKENS_CAPABILITY = 2;
const MOUSE_CLIENT = 2;
const TOKENS = 10; // pieces that the guest may send before more are given
const DISPLAYS_MAX = 4;

class MainChannel extends Channel {
  constructor(session) {
    super(session, MAIN, 0, [AGENT_CONNECTED_TOKENS_CAPABILITY]);
    this.taken = 0;
    this.agent = new Agent((piece) => this.send(TO_AGENT_DATA, new Writer(piece.length).bytes(piece)), session.events);
  }

  handle(type, body) {
    switch (type) {
      case INIT: return this.init(body);
      case CHANNELS_LIST: return this.session.openChannels(Array.from({ length: Math.min(body.u32(), 256) }, () => ({ type: body.u8(), id: body.u8() })));
      case MOUSE_MODE: return this.mouse(body.u16(), body.u16());
      case AGENT_CONNECTED: return this.startAgent(0);
      case AGENT_CONNECTED_TOKENS: return this.startAgent(body.u32());
      case AGENT_DISCONNECTED: this.agent.stop(); return this.session.events.agent?.(false);
      case AGENT_TOKEN: return this.agent.give(body.u32());
      case AGENT_DATA: return this.heard(body);
      default: return undefined;
    }
  }

  init(body) {
    this.session.connection = body.u32();
    body.u32();
    const supported = body.u32(), current = body.u32(), agent = body.u32(), tokens = body.u32();
    this.mouse(supported, current);
    if (agent) this.startAgent(tokens);
    else this.agent.tokens = tokens;
    this.send(ATTACH_CHANNELS);
  }

  /** A pointer whose place the person's own decides, wherever the guest takes it; else motions. */
  mouse(supported, current) {
    if (supported & MOUSE_CLIENT && current !== MOUSE_CLIENT) this.send(MOUSE_MODE_REQUEST, new Writer().u16(MOUSE_CLIENT));
    this.session.absolute = current === MOUSE_CLIENT;
    this.session.events.mouse?.(this.session.absolute);
  }

  startAgent(tokens) {
    this.send(AGENT_START, new Writer().u32(TOKENS));
    this.taken = 0;
    this.agent.start(tokens || this.agent.tokens);
    this.session.events.agent?.(true);
  }

  heard(body) {
    this.agent.take(body.rest());
    if (++this.taken >= TOKENS / 2) {
      this.send(TO_AGENT_TOKEN, new Writer().u32(this.taken));
      this.taken = 0;
    }
  }
}

export class Session {
  /**
   * url: of the tunnel. events, each of which may be left out: surface(display, canvas), painted(display), cursor(shape, display),
   * pointer(place, display), mouse(absolute), agent(is there), ready(): the agent has said what it can, clipboard(text), ended(error).
   */
  constructor({ url, password, events }) {
    this.url = url;
    this.password = password;
    this.events = events;
    this.connection = 0;
    this.absolute = false;
    this.channels = [];
    this.displays = new Map();
    this.inputs = null;
    this.opening = null;
    this.over = false;
  }

  /** Resolves when every channel is linked: what is typed from then on arrives. */
  async open() {
    const all = new Promise((resolve, reject) => {
      this.opening = { resolve, reject };
    });
    all.catch(() => {}); // where the main channel fails first, nobody waits for it any more
    this.main = new MainChannel(this);
    this.channels.push(this.main);
    await this.main.open();
    await all;
    this.opening = null;
  }

  get agent() {
    return this.main?.agent;
  }

  openChannels(listed) {
    const known = listed.map(({ type, id }) => this.channelFor(type, id)).filter(Boolean);
    this.channels.push(...known);
    const opened = known.map((channel) => channel.open().catch((error) => this.failed(channel, error)));
    Promise.all(opened).then(() => this.opening?.resolve());
  }

  channelFor(type, id) {
    if (type === INPUTS && !this.inputs) return (this.inputs = new InputsChannel(this));
    if (type === CURSOR && id < DISPLAYS_MAX) return new CursorChannel(this, id, this.events);
    if (type === DISPLAY && id < DISPLAYS_MAX && !this.displays.has(id)) {
      const display = new DisplayChannel(this, id, this.events);
      this.displays.set(id, display);
      return display;
    }
    return null;
  }

  failed(channel, error) {
    if (this.over) return;
    this.close();
    if (this.opening) this.opening.reject(error);
    else this.events.ended?.(error, channel);
  }

  close() {
    this.over = true;
    for (const channel of this.channels) channel.close();
  }
}
