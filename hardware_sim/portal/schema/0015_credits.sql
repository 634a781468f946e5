-- What scans cost organisations. `warned`: 0 while it suffices, 1 once it was mailed that little is left, 2 that
-- nothing is. `version` rises with what people change, not with scans.
CREATE TABLE credit (
    organisation TEXT PRIMARY KEY,
    balance INTEGER NOT NULL,
    low_at INTEGER NOT NULL,
    warned INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO credit SELECT id, 100, 20, 0, 1 FROM organisation;
CREATE TRIGGER organisation_begins_with_credits AFTER INSERT ON organisation BEGIN
    INSERT INTO credit VALUES (new.id, 100, 20, 0, 1) ON CONFLICT DO NOTHING;
END;

-- Rows are only ever added. That of an event is there once, whatever is read how often; `said` is whom its edge
-- billed where that was another.
CREATE TABLE credit_entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation TEXT NOT NULL,
    at TEXT NOT NULL,
    booked_at TEXT NOT NULL,
    amount INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    about TEXT NOT NULL,
    said TEXT NOT NULL,
    edge TEXT,
    ledger TEXT,
    seq INTEGER,
    UNIQUE (edge, ledger, seq)
) STRICT;
CREATE INDEX credit_entry_of ON credit_entry (organisation, number);

-- Up to which event of this portal has been looked at for what follows from it. What was there before is not charged.
CREATE TABLE feed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    through INTEGER NOT NULL
) STRICT;
INSERT INTO feed SELECT 1, coalesce(max(number), 0) FROM event;
