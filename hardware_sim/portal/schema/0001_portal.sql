-- The list: the same two tables as at an edge, and the changes that led to each revision.
CREATE TABLE list_cursor (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    rev INTEGER NOT NULL,
    confirmed_at TEXT
) STRICT;

CREATE TABLE list_entry (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'permit', 'removed')),
    key TEXT NOT NULL,
    owner TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX list_entry_owner ON list_entry (owner) WHERE owner IS NOT NULL;

CREATE TABLE delta (
    rev INTEGER PRIMARY KEY,
    ops TEXT NOT NULL
) STRICT;

CREATE TABLE edge (
    name TEXT PRIMARY KEY,
    seen_at TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT;

-- (edge, ledger, seq) is an event's identity: whoever delivers it again delivers nothing new.
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    personal TEXT,
    UNIQUE (edge, ledger, seq)
) STRICT;

-- Every event of a ledger up to `through` has been stored.
CREATE TABLE received (
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (edge, ledger)
) STRICT, WITHOUT ROWID;
