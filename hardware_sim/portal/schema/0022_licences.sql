-- Whose licence ends, and was mailed so: once for each end.
CREATE TABLE licence_told (
    user_id TEXT PRIMARY KEY,
    valid_until TEXT NOT NULL
) STRICT, WITHOUT ROWID;
