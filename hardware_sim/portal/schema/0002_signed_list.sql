-- The list as at an edge: see there.
ALTER TABLE list_cursor ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE list_cursor ADD COLUMN buckets BLOB;

CREATE TABLE list_removed (
    user_id TEXT PRIMARY KEY,
    external_id TEXT NOT NULL,
    customer TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO list_removed SELECT key, json_extract(body, '$.user.external_id'),
    coalesce(json_extract(body, '$.user.customer'), '') FROM list_entry WHERE kind = 'removed';

CREATE TABLE list_entry_of (
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'permit')),
    key TEXT NOT NULL,
    owner TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (generation, kind, key)
) STRICT, WITHOUT ROWID;
INSERT INTO list_entry_of SELECT 0, kind, key, owner, body FROM list_entry WHERE kind <> 'removed';
DROP TABLE list_entry;
ALTER TABLE list_entry_of RENAME TO list_entry;
CREATE INDEX list_entry_owner ON list_entry (generation, owner) WHERE owner IS NOT NULL;

-- The whole list on its way: its parts before `next` are written as entries of `generation`.
CREATE TABLE list_shadow (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    rev INTEGER NOT NULL,
    root TEXT NOT NULL,
    parts INTEGER NOT NULL,
    next INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    buckets BLOB NOT NULL
) STRICT;

-- `era` rises with every list begun anew; `cseq` numbers the orders.
CREATE TABLE standing (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    era INTEGER NOT NULL,
    cseq INTEGER NOT NULL
) STRICT;
INSERT INTO standing SELECT 1, 1, 0 FROM list_cursor;

-- The whole list of one revision, cut into parts as they are sent: each a JSON array of changes.
CREATE TABLE snapshot (
    part INTEGER PRIMARY KEY,
    rev INTEGER NOT NULL,
    root TEXT NOT NULL,
    ops TEXT NOT NULL
) STRICT;
