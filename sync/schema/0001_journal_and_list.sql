-- One database has one ledger; (edge, ledger, seq) names an event for ever.
CREATE TABLE ledger (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TRIGGER journal_is_gapless BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'the journal has no gaps'); END;

CREATE TRIGGER journal_is_never_rewritten BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- What names a person or a vehicle: erased on schedule, acknowledged or not.
CREATE TABLE personal (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;

CREATE INDEX personal_at ON personal (at);

-- Occupancy after row `through`, so that a start need not fold the whole journal.
CREATE TABLE checkpoint (
    through INTEGER PRIMARY KEY,
    occupancy TEXT NOT NULL
) STRICT;

CREATE TABLE list_cursor (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch TEXT NOT NULL,
    rev INTEGER NOT NULL,
    confirmed_at TEXT
) STRICT;

-- `body` is the change that puts the entry; `owner` the user of a permit. A removed user leaves its identity.
CREATE TABLE list_entry (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'permit', 'removed')),
    key TEXT NOT NULL,
    owner TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX list_entry_owner ON list_entry (owner) WHERE owner IS NOT NULL;
