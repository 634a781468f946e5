-- What a portal knows of users besides the list: nothing here goes to a gate.
CREATE TABLE contact (
    user_id TEXT PRIMARY KEY,
    email TEXT UNIQUE
) STRICT, WITHOUT ROWID;

-- Activations of a phone app that were mailed; a newer one takes the place of an older.
CREATE TABLE activation (
    user_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    until TEXT NOT NULL
) STRICT, WITHOUT ROWID;
