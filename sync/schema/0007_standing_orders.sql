-- Lanes that an order switched on or off, and what their settings said then.
CREATE TABLE switched (
    lane TEXT PRIMARY KEY,
    active INTEGER NOT NULL,
    setting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Users, and single credentials, that are void until the list is at `rev` of `epoch`, or is not `instead_of` any more.
CREATE TABLE void (
    user_id TEXT NOT NULL,
    credential TEXT NOT NULL,
    epoch TEXT NOT NULL,
    rev INTEGER NOT NULL,
    instead_of TEXT NOT NULL,
    PRIMARY KEY (user_id, credential)
) STRICT, WITHOUT ROWID;
