-- For whom a desk was last told to take a badge, and by whom; `after` is the last event that was here by then.
CREATE TABLE badge_order (
    user_id TEXT PRIMARY KEY,
    desk TEXT NOT NULL,
    clerk TEXT NOT NULL,
    at TEXT NOT NULL,
    after INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
