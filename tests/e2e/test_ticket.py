# SPDX-License-Identifier: Apache-2.0
"""Nobody sees a desktop without its password of now."""

import pytest

from conftest import TICKET, connect
from rig import spice_client


def refused(desktop, password):
    """Whether the server turns away a client with this password (None: with no password)."""
    with spice_client.Client(desktop.spice_port, password=password) as client:
        client.wait(lambda: client.events, "a word from the server")
        return client.events[0] == ("main", "error-auth") and not client.surfaces


@pytest.fixture
def ticket(room, desktop):
    """Sets the password over the control socket, which a viewer then has to know."""
    def set_ticket(ticket, seconds=0):
        room.vmm.set_ticket(desktop, ticket, seconds)
        desktop.ticket = ticket

    yield set_ticket
    set_ticket(TICKET)


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_wrong_ticket_is_refused(desktop, password):
    assert refused(desktop, password)


def test_ticket_is_changed_and_expires(room, desktop, ticket):
    """The old one is worth nothing at once, the new one once its time is over; who is connected by then may stay."""
    ticket("another")
    assert refused(desktop, TICKET)
    with connect(desktop) as client:
        ticket("another", 1)
        room.host.wait_until(lambda: refused(desktop, "another"), "the ticket's end", 60)
        assert not client.closed
