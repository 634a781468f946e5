-- A vehicle that took its user's place: asked for, or found in a journal, or both. `alone`: nobody was asked in time.
CREATE TABLE stay (
    edge TEXT NOT NULL,
    hold TEXT NOT NULL,
    ledger TEXT,
    seq INTEGER,
    user TEXT NOT NULL,
    size INTEGER NOT NULL DEFAULT 1,
    at TEXT NOT NULL,
    closes TEXT NOT NULL DEFAULT '[]',
    fence INTEGER,
    err_ms INTEGER NOT NULL,
    alone INTEGER NOT NULL DEFAULT 0,
    entered INTEGER NOT NULL DEFAULT 0,
    ended_at TEXT,
    doubted_at TEXT,
    left_at TEXT,
    PRIMARY KEY (edge, hold)
) STRICT, WITHOUT ROWID;

CREATE INDEX stay_of_user ON stay (user, at);
-- What is over before a moment has no part in what follows it: years of a user are not read at each of its entries.
CREATE INDEX stay_over ON stay (user, coalesce(ended_at, left_at, '9'));
CREATE INDEX stay_open ON stay (edge) WHERE ended_at IS NULL;

-- An exit on its way, and for good where its edge had no session of the user.
CREATE TABLE departure (
    edge TEXT NOT NULL,
    hold TEXT NOT NULL,
    ledger TEXT NOT NULL,
    seq INTEGER NOT NULL,
    user TEXT,
    closes TEXT NOT NULL,
    at TEXT NOT NULL,
    passed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (edge, hold)
) STRICT, WITHOUT ROWID;

CREATE INDEX departure_of_user ON departure (user, at) WHERE passed = 1;

-- `id` is the event that made the conflict; `settled` is a person's word on it.
CREATE TABLE conflict (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    settled TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX conflict_of_user ON conflict (user, at);

ALTER TABLE standing ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
