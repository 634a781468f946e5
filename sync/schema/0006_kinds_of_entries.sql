-- A list has more kinds of entries than users and permits; which, the program knows (sync.entries).
CREATE TABLE list_entry_of (
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    owner TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (generation, kind, key)
) STRICT, WITHOUT ROWID;
INSERT INTO list_entry_of SELECT generation, kind, key, owner, body FROM list_entry;
DROP TABLE list_entry;
ALTER TABLE list_entry_of RENAME TO list_entry;
CREATE INDEX list_entry_owner ON list_entry (generation, owner) WHERE owner IS NOT NULL;
