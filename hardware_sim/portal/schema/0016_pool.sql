-- Vehicles that subscribers share. `name` stands in reservations and journals; the plate is on the list, under `user_id`.
CREATE TABLE pool_vehicle (
    name TEXT PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    site TEXT NOT NULL,
    slot INTEGER,
    seats INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (site, slot)
) STRICT, WITHOUT ROWID;

-- Trips on which others may ride along.
CREATE TABLE shared_trip (
    reservation TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
