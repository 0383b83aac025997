# SPDX-License-Identifier: Apache-2.0
"""
A carreld that says what a test wants it to say: the interface of appliance/api over a socket, with answers made by Python
functions. For what a real one does only with a running desktop, or never.
"""
import os
import pathlib
import threading

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from host import INTERFACE, PATH, fields  # noqa: E402

API = pathlib.Path(__file__).resolve().parents[2] / "appliance/api/org.carrel.Host1.xml"


class Refusal(Exception):
    """Refusal("NotFound", "there is no such thing")"""


class FakeCarreld:
    """answers: {method: function of its arguments, which returns the tuple of values, descriptors as they are}."""

    def __init__(self, socket, **answers):
        self.answers = {"GetSession": lambda session: ({"name": "anna", "csrf": "proof"},), **answers}
        self.calls = []
        self.buses = []
        self.interface = Gio.DBusNodeInfo.new_for_xml(API.read_text()).lookup_interface(INTERFACE)
        self.context = GLib.MainContext()
        self.loop = GLib.MainLoop(self.context)
        self.ready = threading.Event()
        self.socket = str(socket)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(60)

    def _run(self):
        self.context.push_thread_default()
        self.server = Gio.DBusServer.new_sync(f"unix:path={self.socket}", Gio.DBusServerFlags.NONE,
                                              Gio.dbus_generate_guid(), None, None)
        self.server.connect("new-connection", self._on_connection)
        self.server.start()
        self.ready.set()
        self.loop.run()
        self.server.stop()
        os.unlink(self.socket) if os.path.exists(self.socket) else None
        for bus in self.buses:
            bus.close_sync(None) if not bus.is_closed() else None
        self.context.pop_thread_default()

    def _on_connection(self, _server, bus):
        self.buses.append(bus)
        bus.register_object(PATH, self.interface, self._on_call, None, None)
        return True

    def _on_call(self, _bus, _sender, _path, _interface, method, arguments, invocation):
        self.calls.append((method, arguments.unpack()))
        try:
            values = self.answers[method](*arguments.unpack())
        except KeyError:
            invocation.return_dbus_error("org.carrel.Error.NotFound", "there is none")
            return
        except Refusal as refusal:
            invocation.return_dbus_error(f"org.carrel.Error.{refusal.args[0]}", refusal.args[1])
            return
        out = self.interface.lookup_method(method).out_args
        fds = Gio.UnixFDList()
        packed = []
        for each, value in zip(out, values, strict=True):
            if each.signature == "h":
                packed.append(fds.append(value))
                os.close(value)
            else:
                packed.append(fields(value) if each.signature == "a{sv}" else value)
        invocation.return_value_with_unix_fd_list(
            GLib.Variant(f"({''.join(each.signature for each in out)})", tuple(packed)), fds)

    def send(self, subscription, topic, **data):
        """An event, to whoever is connected."""
        for bus in self.buses:
            if not bus.is_closed():
                bus.emit_signal(None, PATH, INTERFACE, "Event",
                                GLib.Variant("(usa{sv})", (subscription, topic, fields(data))))

    def end(self):
        self.context.invoke_full(0, self.loop.quit)
        self.thread.join(60)
