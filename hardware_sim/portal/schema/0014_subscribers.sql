-- Subscribers of the fleet, on their way to a badge. Nothing of this goes to an edge.
ALTER TABLE site ADD COLUMN manager TEXT NOT NULL DEFAULT '';

-- Addresses that were mailed the way to the form; `digest` is that of the link's token.
CREATE TABLE registering (
    email TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    until TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The terms of use, the newest in force; a number is never given twice.
CREATE TABLE terms (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- `terms` is the number of those that were accepted; `checked_by` the clerk who found the contact data right.
CREATE TABLE subscriber (
    user_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    address TEXT NOT NULL,
    terms INTEGER NOT NULL,
    checked_by TEXT NOT NULL,
    checked_at TEXT,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE licence_picture (
    user_id TEXT PRIMARY KEY,
    media TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
