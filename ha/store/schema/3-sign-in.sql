-- SPDX-License-Identifier: Apache-2.0
-- Step 3: what signing in leaves behind. Users of a directory are known by an id there that outlives their names; of one-time
-- codes the last step taken is kept (-1: none yet), of recovery codes the digests of those left.

ALTER TABLE users ADD COLUMN directory_id TEXT;
ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT -1;
CREATE UNIQUE INDEX users_by_directory_id ON users (source, directory_id) WHERE directory_id IS NOT NULL;

-- source: who says so, an administrator ('local') or the user's directory.
ALTER TABLE memberships ADD COLUMN source TEXT NOT NULL DEFAULT 'local';

CREATE TABLE recovery_codes (
    user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;
