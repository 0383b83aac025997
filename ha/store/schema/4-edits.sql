-- SPDX-License-Identifier: Apache-2.0
-- Step 4: edited is the sequence number of the command that last changed what people edit of a thing, as revision is of the one
-- that last changed anything of it (a desktop that starts has a new revision, and is still what somebody had before them).

ALTER TABLE hosts ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE hosts SET edited = revision;
ALTER TABLE settings ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE settings SET edited = revision;
ALTER TABLE users ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE users SET edited = revision;
ALTER TABLE groups ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE groups SET edited = revision;
ALTER TABLE networks ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE networks SET edited = revision;
ALTER TABLE images ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE images SET edited = revision;
ALTER TABLE policies ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE policies SET edited = revision;
ALTER TABLE templates ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE templates SET edited = revision;
ALTER TABLE pools ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE pools SET edited = revision;
ALTER TABLE desktops ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE desktops SET edited = revision;
ALTER TABLE assignments ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
UPDATE assignments SET edited = revision;
