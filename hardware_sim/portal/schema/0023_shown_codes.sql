-- Codes that a device showed and somebody used, each once; `number` tells it from others of its lane. They are kept
-- as long as their openings may still be heard of.
CREATE TABLE shown_code (
    edge TEXT NOT NULL,
    lane TEXT NOT NULL,
    number INTEGER NOT NULL,
    used_at TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (edge, lane, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX shown_code_used ON shown_code (used_at);
