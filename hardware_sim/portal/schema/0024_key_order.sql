-- The last that a desk told of the key of a reservation: after an outage, older events come after newer ones.
CREATE TABLE key_told (
    reservation TEXT PRIMARY KEY,
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
