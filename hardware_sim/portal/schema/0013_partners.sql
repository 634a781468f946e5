-- Agreements between partners and customers, kept when they are over: who paid for a scan is asked about the past.
CREATE TABLE partnership (
    id TEXT PRIMARY KEY,
    partner TEXT NOT NULL REFERENCES organisation (id),
    customer TEXT NOT NULL REFERENCES organisation (id),
    requested_at TEXT NOT NULL,
    stage TEXT NOT NULL,
    accepted_at TEXT,
    ended_at TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE delegation (
    id TEXT PRIMARY KEY,
    partner TEXT NOT NULL REFERENCES organisation (id),
    customer TEXT NOT NULL REFERENCES organisation (id),
    requested_at TEXT NOT NULL,
    stage TEXT NOT NULL,
    accepted_at TEXT,
    ended_at TEXT,
    device TEXT NOT NULL,
    partnership TEXT NOT NULL REFERENCES partnership (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX delegation_device ON delegation (device);
CREATE INDEX delegation_partnership ON delegation (partnership);
