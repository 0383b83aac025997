-- SPDX-License-Identifier: Apache-2.0
-- Step 2: what desktops are made of, the desktops, and who gets which.

CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('nat', 'bridge', 'vlan', 'passt')),
    bridge TEXT,
    vlan INTEGER CHECK (vlan BETWEEN 1 AND 4094),
    isolated INTEGER NOT NULL DEFAULT 1 CHECK (isolated IN (0, 1)),
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK ((type IN ('bridge', 'vlan')) = (bridge IS NOT NULL)),
    CHECK ((type = 'vlan') = (vlan IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- size: bytes that a guest sees; known, like the checksum, once the image has come.
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL CHECK (type IN ('disk', 'iso')),
    state TEXT NOT NULL DEFAULT 'coming' CHECK (state IN ('coming', 'ready', 'failed')),
    size INTEGER CHECK (size >= 0),
    sha256 TEXT,
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK (state <> 'ready' OR size IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX images_by_type ON images (type, name_key);

-- What users may do at their desktops. usb: rules as usbredir writes them.
CREATE TABLE policies (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    usb TEXT NOT NULL DEFAULT '-1,-1,-1,-1,0',
    clipboard TEXT NOT NULL DEFAULT 'both' CHECK (clipboard IN ('none', 'to-desktop', 'from-desktop', 'both')),
    file_transfer TEXT NOT NULL DEFAULT 'none' CHECK (file_transfer IN ('none', 'to-desktop', 'from-desktop', 'both')),
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- memory: MiB.
CREATE TABLE templates (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    memory INTEGER NOT NULL CHECK (memory >= 16),
    vcpus INTEGER NOT NULL CHECK (vcpus >= 1),
    firmware TEXT NOT NULL DEFAULT 'uefi' CHECK (firmware IN ('uefi', 'bios')),
    secure_boot INTEGER NOT NULL DEFAULT 0 CHECK (secure_boot IN (0, 1)),
    tpm INTEGER NOT NULL DEFAULT 0 CHECK (tpm IN (0, 1)),
    guest_os TEXT NOT NULL DEFAULT 'linux' CHECK (guest_os IN ('linux', 'windows', 'other')),
    monitors INTEGER NOT NULL DEFAULT 1 CHECK (monitors BETWEEN 1 AND 4),
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK (firmware = 'uefi' OR NOT secure_boot)
) STRICT, WITHOUT ROWID;

CREATE TABLE template_disks (
    template TEXT NOT NULL REFERENCES templates (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('disk', 'cdrom')),
    image TEXT REFERENCES images (id),
    size INTEGER CHECK (size > 0),
    PRIMARY KEY (template, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX template_disks_by_image ON template_disks (image);

CREATE TABLE template_nics (
    template TEXT NOT NULL REFERENCES templates (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    network TEXT NOT NULL REFERENCES networks (id),
    PRIMARY KEY (template, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX template_nics_by_network ON template_nics (network);

-- size: how many desktops there may be; spares: how many wait, started, for somebody to take them.
CREATE TABLE pools (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    template TEXT NOT NULL REFERENCES templates (id),
    type TEXT NOT NULL CHECK (type IN ('persistent', 'disposable')),
    size INTEGER NOT NULL CHECK (size >= 0),
    spares INTEGER NOT NULL DEFAULT 0 CHECK (spares BETWEEN 0 AND size),
    policy TEXT REFERENCES policies (id),
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pools_by_template ON pools (template, name_key);
CREATE INDEX pools_by_policy ON pools (policy, name_key);

-- user: who has taken it from its pool; host: where it runs, or ran last; wanted: what people want it to be.
CREATE TABLE desktops (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    template TEXT REFERENCES templates (id),
    pool TEXT REFERENCES pools (id),
    user TEXT REFERENCES users (id),
    host TEXT REFERENCES hosts (id),
    wanted TEXT NOT NULL DEFAULT 'stopped' CHECK (wanted IN ('stopped', 'running', 'suspended')),
    memory INTEGER NOT NULL CHECK (memory >= 16),
    vcpus INTEGER NOT NULL CHECK (vcpus >= 1),
    firmware TEXT NOT NULL DEFAULT 'uefi' CHECK (firmware IN ('uefi', 'bios')),
    secure_boot INTEGER NOT NULL DEFAULT 0 CHECK (secure_boot IN (0, 1)),
    tpm INTEGER NOT NULL DEFAULT 0 CHECK (tpm IN (0, 1)),
    guest_os TEXT NOT NULL DEFAULT 'linux' CHECK (guest_os IN ('linux', 'windows', 'other')),
    monitors INTEGER NOT NULL DEFAULT 1 CHECK (monitors BETWEEN 1 AND 4),
    policy TEXT REFERENCES policies (id),
    description TEXT,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK (firmware = 'uefi' OR NOT secure_boot),
    CHECK (user IS NULL OR pool IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX desktops_by_template ON desktops (template, name_key);
CREATE INDEX desktops_by_pool ON desktops (pool, name_key);
CREATE INDEX desktops_by_user ON desktops (user, name_key);
CREATE INDEX desktops_by_host ON desktops (host, name_key);
CREATE INDEX desktops_by_wanted ON desktops (wanted, name_key);
CREATE INDEX desktops_by_policy ON desktops (policy, name_key);

CREATE TABLE desktop_disks (
    desktop TEXT NOT NULL REFERENCES desktops (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('disk', 'cdrom')),
    image TEXT REFERENCES images (id),
    size INTEGER CHECK (size > 0),
    PRIMARY KEY (desktop, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX desktop_disks_by_image ON desktop_disks (image);

CREATE TABLE desktop_nics (
    desktop TEXT NOT NULL REFERENCES desktops (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    network TEXT NOT NULL REFERENCES networks (id),
    mac TEXT UNIQUE,
    PRIMARY KEY (desktop, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX desktop_nics_by_network ON desktop_nics (network);

-- A user or a group gets a desktop or a pool.
CREATE TABLE assignments (
    id TEXT PRIMARY KEY,
    user TEXT REFERENCES users (id),
    "group" TEXT REFERENCES groups (id),
    desktop TEXT REFERENCES desktops (id),
    pool TEXT REFERENCES pools (id),
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    CHECK ((user IS NULL) <> ("group" IS NULL)),
    CHECK ((desktop IS NULL) <> (pool IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX assignments_once_by_user ON assignments (user, ifnull(desktop, pool)) WHERE user IS NOT NULL;
CREATE UNIQUE INDEX assignments_once_by_group ON assignments ("group", ifnull(desktop, pool)) WHERE "group" IS NOT NULL;
CREATE INDEX assignments_by_user ON assignments (user);
CREATE INDEX assignments_by_group ON assignments ("group");
CREATE INDEX assignments_by_desktop ON assignments (desktop);
CREATE INDEX assignments_by_pool ON assignments (pool);
