-- SPDX-License-Identifier: Apache-2.0
-- Step 6: how much of a host a desktop may take. 0: no limit; of cpu_weight: as its processors are many.

ALTER TABLE templates ADD COLUMN cpu_weight INTEGER NOT NULL DEFAULT 0 CHECK (cpu_weight BETWEEN 0 AND 10000);
ALTER TABLE templates ADD COLUMN cpu_percent INTEGER NOT NULL DEFAULT 0 CHECK (cpu_percent >= 0);
ALTER TABLE templates ADD COLUMN disk_read_mib INTEGER NOT NULL DEFAULT 0 CHECK (disk_read_mib >= 0);
ALTER TABLE templates ADD COLUMN disk_write_mib INTEGER NOT NULL DEFAULT 0 CHECK (disk_write_mib >= 0);
ALTER TABLE templates ADD COLUMN disk_read_ops INTEGER NOT NULL DEFAULT 0 CHECK (disk_read_ops >= 0);
ALTER TABLE templates ADD COLUMN disk_write_ops INTEGER NOT NULL DEFAULT 0 CHECK (disk_write_ops >= 0);

ALTER TABLE desktops ADD COLUMN cpu_weight INTEGER NOT NULL DEFAULT 0 CHECK (cpu_weight BETWEEN 0 AND 10000);
ALTER TABLE desktops ADD COLUMN cpu_percent INTEGER NOT NULL DEFAULT 0 CHECK (cpu_percent >= 0);
ALTER TABLE desktops ADD COLUMN disk_read_mib INTEGER NOT NULL DEFAULT 0 CHECK (disk_read_mib >= 0);
ALTER TABLE desktops ADD COLUMN disk_write_mib INTEGER NOT NULL DEFAULT 0 CHECK (disk_write_mib >= 0);
ALTER TABLE desktops ADD COLUMN disk_read_ops INTEGER NOT NULL DEFAULT 0 CHECK (disk_read_ops >= 0);
ALTER TABLE desktops ADD COLUMN disk_write_ops INTEGER NOT NULL DEFAULT 0 CHECK (disk_write_ops >= 0);
