/* SPDX-License-Identifier: Apache-2.0 */
/* The words of API and audit for kinds of clients, and the argument "client" of those calls that say where somebody is. */
#pragma once

#include "appliance/daemon/service.h"
#include "appliance/sign-in/sign_in.h"

/*
 * What a{sv} says: address s, kind s; a command's where it says nothing. Strings are the variant's. Who calls from the host's console, without
 * an address, is there.
 */
void client_read(GVariant *client, const Peer *peer, SignInAttempt *attempt);
