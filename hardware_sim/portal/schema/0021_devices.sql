-- Devices that wait to be claimed, or were: by the serial on the device and a code that counts once.
CREATE TABLE device_claim (
    device TEXT PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,
    salt TEXT NOT NULL,
    digest TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    tries INTEGER NOT NULL,
    used_at TEXT
) STRICT, WITHOUT ROWID;
