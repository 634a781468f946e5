-- Pictures that edges were asked for, until the edge itself would have deleted them.
CREATE TABLE picture (
    edge TEXT NOT NULL,
    ledger TEXT NOT NULL,
    seq INTEGER NOT NULL,
    erase_at TEXT NOT NULL,
    jpeg BLOB NOT NULL,
    PRIMARY KEY (edge, ledger, seq)
) STRICT;
CREATE INDEX picture_erase_at ON picture (erase_at);
