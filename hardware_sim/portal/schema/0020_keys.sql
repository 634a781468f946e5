-- Keys that are out of their slots. `told` is whose reservation could not begin because of it, and was mailed so.
CREATE TABLE key_out (
    reservation TEXT PRIMARY KEY,
    vehicle TEXT NOT NULL,
    slot INTEGER NOT NULL,
    taken_at TEXT NOT NULL,
    reminded INTEGER NOT NULL,
    told TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Through which event keys were followed; one row.
CREATE TABLE keys_followed (
    through INTEGER NOT NULL
) STRICT;
INSERT INTO keys_followed VALUES (0);
