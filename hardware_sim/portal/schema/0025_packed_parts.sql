-- The whole list of one revision, cut into parts as they are sent: changes, packed (sync.packing), and how long they
-- were before. What was cut otherwise is cut again.
DROP TABLE snapshot;
CREATE TABLE snapshot (
    part INTEGER PRIMARY KEY,
    rev INTEGER NOT NULL,
    root TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    packed BLOB NOT NULL
) STRICT;
