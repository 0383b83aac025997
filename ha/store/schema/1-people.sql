-- SPDX-License-Identifier: Apache-2.0
-- Step 1: what the store keeps of commands themselves, the hosts, the settings, and the people.
--
-- Things have an id that whoever made them chose, when they were made (microseconds since 1970, UTC), and the revision: the
-- sequence number of the command that last changed them. Tables are keyed by these ids and nothing else (WITHOUT ROWID), so
-- that equal histories give equal bytes.

-- How many commands this state has seen.
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL CHECK (sequence >= 0)
) STRICT;
INSERT INTO progress (id, sequence) VALUES (1, 0);

-- The answers to the last requests, for those that are sent again. code and message: of a refusal; result: of what was done.
CREATE TABLE requests (
    id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    code INTEGER,
    message TEXT,
    result TEXT,
    CHECK ((code IS NULL) = (message IS NULL))
) STRICT, WITHOUT ROWID;

-- Which things the last commands changed, for readers that keep up.
CREATE TABLE changes (
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    thing TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('made', 'changed', 'removed')),
    PRIMARY KEY (sequence, kind, thing)
) STRICT, WITHOUT ROWID;

-- Who did what, or tried to. details: the command's fields as JSON, without secrets.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    origin TEXT NOT NULL,
    command TEXT NOT NULL,
    kind TEXT,
    thing TEXT,
    thing_name TEXT,
    details TEXT NOT NULL CHECK (json_valid(details)),
    code INTEGER,
    message TEXT
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor);
CREATE INDEX audit_by_thing ON audit (thing);
CREATE INDEX audit_by_command ON audit (command);

CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    address TEXT,
    maintenance INTEGER NOT NULL DEFAULT 0 CHECK (maintenance IN (0, 1)),
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    id TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- source: 'local', or the directory that knows the password.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    full_name TEXT,
    role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'operator', 'admin')),
    source TEXT NOT NULL DEFAULT 'local',
    password TEXT,
    totp TEXT,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK (source = 'local' OR password IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_role ON users (role, name_key);
CREATE INDEX users_by_source ON users (source, name_key);

CREATE TABLE groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL DEFAULT 'local',
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_by_source ON groups (source, name_key);

CREATE TABLE memberships (
    "group" TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY ("group", user)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_user ON memberships (user);
