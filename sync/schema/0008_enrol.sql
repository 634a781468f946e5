-- Badges that a desk has handed out and that the portal has not answered yet.
CREATE TABLE enrol (
    enrol_id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
