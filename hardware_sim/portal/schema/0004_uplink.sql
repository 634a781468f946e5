-- What each edge signs with.
CREATE TABLE edge_key (
    edge TEXT PRIMARY KEY,
    public BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A ledger's rows begin after `after`. `conn` is the newest connection that it was heard on, and `before` the highest
-- row that was there when that began.
CREATE TABLE ledger (
    edge TEXT NOT NULL,
    name TEXT NOT NULL,
    after INTEGER NOT NULL,
    follows TEXT,
    conn INTEGER NOT NULL,
    before INTEGER NOT NULL,
    PRIMARY KEY (edge, name)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger SELECT edge, ledger, 0, NULL, 0, max(seq) FROM event GROUP BY edge, ledger;

-- The rows of a ledger that are here, stored or in quarantine, as few ranges.
CREATE TABLE held (
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (edge, ledger, first)
) STRICT, WITHOUT ROWID;
INSERT INTO held SELECT edge, ledger, min(seq), max(seq) FROM (
    SELECT edge, ledger, seq, seq - row_number() OVER (PARTITION BY edge, ledger ORDER BY seq) AS island FROM event
) GROUP BY edge, ledger, island;
DROP TABLE received;

-- Events that were delivered and cannot be read, or are not believed; kept for a person to look at.
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (edge, ledger, seq, reason)
) STRICT;

-- What an operator must look at; the same is told once.
CREATE TABLE alarm (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    edge TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (edge, kind, detail)
) STRICT;

-- Edges say anew what they are when they come back, signed and in order.
DELETE FROM edge;
