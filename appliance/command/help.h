/* SPDX-License-Identifier: Apache-2.0 */
/* Help, made from the tables of verbs and fields. */
#pragma once

#include "appliance/command/call.h"

void cli_help(void);
void cli_help_kind(const char *kind);
void cli_help_verb(const CliVerb *verb);

/*
 * For the shell's completion: what may stand at the end of @words (those behind "carrel", the last one unfinished), one a line. Asks
 * carreld for names where it can.
 */
void cli_complete(char **words);
