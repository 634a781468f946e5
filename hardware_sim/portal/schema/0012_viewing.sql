-- Viewing codes as staff read them out, encrypted with the key beside the database; the list holds digests alone.
CREATE TABLE view_secret (
    code TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What an open viewing session shows; `digest` is that of the session.
CREATE TABLE viewing (
    digest BLOB PRIMARY KEY,
    code TEXT NOT NULL,
    generation INTEGER NOT NULL,
    customer TEXT NOT NULL,
    site TEXT,
    device TEXT
) STRICT, WITHOUT ROWID;
