-- Plates that belong to nobody on the list: after a short time only a keyed hash is left, and the key changes.
CREATE TABLE stranger (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE INDEX stranger_at ON stranger (at);

CREATE TABLE stranger_key (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    since TEXT NOT NULL,
    key BLOB NOT NULL
) STRICT;
