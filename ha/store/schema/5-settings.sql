-- SPDX-License-Identifier: Apache-2.0
-- Step 5: every setting that is known has a row from the beginning, and a number for a value (things/settings.c says what each is
-- and what it may be). What was set before stays where it is a setting, and one that was read: others nobody looked at.
--
-- revision: a row that no command has changed yet has been seen by whoever names 1; commands of people come later.

ALTER TABLE settings RENAME TO settings_before;
CREATE TABLE settings (
    id TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    edited INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings (id, value, created, revision, edited) VALUES
    ('desktops.shut-down-seconds', 90, 0, 1, 0),
    ('memory.overcommit-percent', 100, 0, 1, 0),
    ('pools.left-minutes', 10, 0, 1, 0);

WITH known (id, least, most) AS (
    VALUES ('desktops.shut-down-seconds', 1, 3600), ('memory.overcommit-percent', 100, 400), ('pools.left-minutes', 0, 10080)
)
UPDATE settings SET value = CAST(was.value AS INTEGER), created = was.created, revision = was.revision, edited = was.edited
    FROM settings_before was JOIN known ON known.id = was.id
    WHERE settings.id = was.id AND was.value NOT GLOB '*[^0-9]*' AND length(was.value) < 10
        AND CAST(was.value AS INTEGER) BETWEEN known.least AND known.most;
DROP TABLE settings_before;
