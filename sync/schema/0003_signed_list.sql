-- A list belongs to a generation, so that a new one is written beside the one in force and then named by the cursor.
ALTER TABLE list_cursor ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
-- 256 sums (sync.roots); NULL until the list is next written.
ALTER TABLE list_cursor ADD COLUMN buckets BLOB;

-- Whose the id of a removed user was: no list, new or whole, gives it to another.
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

-- The newest key set as the root key signed it.
CREATE TABLE keyset (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    payload TEXT NOT NULL
) STRICT;

-- The highest of everything that a key of the portal has signed: nothing goes back behind it.
CREATE TABLE issuer (
    kid TEXT PRIMARY KEY,
    floor TEXT NOT NULL,
    era INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    cseq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders that were carried out, written before they were.
CREATE TABLE executed (
    cmd_id TEXT PRIMARY KEY,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
