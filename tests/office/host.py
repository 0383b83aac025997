# SPDX-License-Identifier: Apache-2.0
"""A host's daemon as its callers see it: org.carrel.Host1 over its socket, by introspection."""
import os
import time
import uuid

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

PATH = "/org/carrel/Host1"
INTERFACE = "org.carrel.Host1"
TIMEOUT_MS = 60_000  # says only that an answer never came


class HostError(Exception):
    """.code: "NotFound" of org.carrel.Error.NotFound; the text is the sentence."""

    def __init__(self, error):
        name = Gio.DBusError.get_remote_error(error) or ""
        super().__init__(error.message.removeprefix(f"GDBus.Error:{name}: "))
        self.code = name.rpartition(".")[2]

    def __repr__(self):
        return f"{self.code}: {self}"


def u(number):
    return GLib.Variant("u", number)


def t(number):
    return GLib.Variant("t", number)


def variant(value):
    """What fields of commands and options of calls are made of; a GLib.Variant stays what it is."""
    if isinstance(value, GLib.Variant):
        return value
    if isinstance(value, bool):
        return GLib.Variant("b", value)
    if isinstance(value, int):
        return GLib.Variant("x", value)
    if isinstance(value, str):
        return GLib.Variant("s", value)
    if isinstance(value, float):
        return GLib.Variant("d", value)
    return GLib.Variant("aa{sv}", [fields(each) for each in value])


def fields(values):
    return {name: variant(value) for name, value in values.items()}


class Connection:
    """One peer's. Calls are methods: connection.GetSession(token)."""

    def __init__(self, socket):
        self.bus = Gio.DBusConnection.new_for_address_sync(
            f"unix:path={socket}", Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
        xml = self.bus.call_sync(None, PATH, "org.freedesktop.DBus.Introspectable", "Introspect", None,
                                 GLib.VariantType("(s)"), 0, TIMEOUT_MS, None).unpack()[0]
        self.interface = Gio.DBusNodeInfo.new_for_xml(xml).lookup_interface(INTERFACE)
        self.events = []
        self.bus.signal_subscribe(None, INTERFACE, "Event", PATH, None, Gio.DBusSignalFlags.NONE, self._event)

    def _event(self, _bus, _sender, _path, _interface, _name, arguments):
        self.events.append(arguments.unpack())

    def _pack(self, method, arguments):
        found = self.interface.lookup_method(method)
        if not found:
            raise AttributeError(method)
        types = [each.signature for each in found.in_args]
        packed = [fields(value) if kind == "a{sv}" else value for kind, value in zip(types, arguments, strict=True)]
        return found, GLib.Variant(f"({''.join(types)})", packed)

    @staticmethod
    def _unpack(found, answer, descriptors):
        values = [descriptors.get(value) if each.signature == "h" else value
                  for each, value in zip(found.out_args, answer.unpack())]
        return tuple(values) if len(values) > 1 else values[0] if values else None

    def call(self, method, *arguments):
        """The answer: nothing, a value, or a tuple of them; a descriptor in place of its handle."""
        found, packed = self._pack(method, arguments)
        try:
            answer, descriptors = self.bus.call_with_unix_fd_list_sync(
                None, PATH, INTERFACE, method, packed, None, Gio.DBusCallFlags.NONE, TIMEOUT_MS, None, None)
        except GLib.Error as error:
            if not Gio.DBusError.is_remote_error(error):
                raise
            raise HostError(error) from None
        return self._unpack(found, answer, descriptors)

    def call_later(self, method, done, *arguments):
        """The same without waiting; done(answer, or HostError; a GLib.Error where none came) within wait()."""
        found, packed = self._pack(method, arguments)

        def finished(bus, result):
            try:
                done(self._unpack(found, *bus.call_with_unix_fd_list_finish(result)))
            except GLib.Error as error:
                done(HostError(error) if Gio.DBusError.is_remote_error(error) else error)
        self.bus.call_with_unix_fd_list(None, PATH, INTERFACE, method, packed, None, Gio.DBusCallFlags.NONE, TIMEOUT_MS,
                                        None, None, finished)

    def __getattr__(self, method):
        if method.startswith("_") or method == "interface":
            raise AttributeError(method)
        return lambda *arguments: self.call(method, *arguments)

    def wait(self, wanted, what, seconds=60):
        """Has events come until wanted() is true, and returns that; `what`, or what() then, says what never came."""
        context = GLib.MainContext.default()
        end = time.monotonic() + seconds
        while not (result := wanted()):
            if time.monotonic() > end:
                raise AssertionError(f"{what() if callable(what) else what} never came; events: {self.events[-20:]}")
            if not context.iteration(False):
                time.sleep(0.01)
        return result

    def wait_event(self, topic, fits=lambda data: True, seconds=60):
        """The first event of that topic whose data fits; it and those before it are taken."""
        def find():
            for i, (_, is_topic, data) in enumerate(self.events):
                if is_topic == topic and fits(data):
                    del self.events[:i + 1]
                    return data
            return None
        return self.wait(find, f"an event “{topic}”", seconds)

    def close(self):
        self.bus.close_sync(None)


class Session:
    """A connection and who is signed in on it: session.Get("user", ID). With the token "" it is the host's console."""

    def __init__(self, connection, token=""):
        self.connection = connection
        self.token = token

    def __getattr__(self, method):
        if method.startswith("_") or method in ("connection", "token"):
            raise AttributeError(method)
        return lambda *arguments: self.connection.call(method, self.token, *arguments)

    def do(self, command, seen=0, request="", **values):
        """A command; what the store chose, or nothing."""
        _, result = self.Submit(request, command, seen, values)
        return result.get("id")

    def make(self, kind, **values):
        """A new thing; its id."""
        new = str(uuid.uuid4())
        self.do(f"{kind}.create", **{kind: new}, **values)
        return new

    def list(self, kind, **query):
        return self.List(kind, query)[0]

    def find(self, kind, name):
        return self.Get(kind, f"name:{name}")

    def read(self, method, *arguments):
        """All of what a descriptor that a call gives holds, whatever else it gives."""
        answer = getattr(self, method)(*arguments)
        with os.fdopen(answer[0] if isinstance(answer, tuple) else answer, "rb") as file:
            return file.read()
