-- Who may work at this portal's pages, for whom, and what was said and done there.
CREATE TABLE organisation (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    email TEXT,
    operator INTEGER NOT NULL,
    partner INTEGER NOT NULL,
    customer INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    email TEXT,
    time_zone TEXT NOT NULL,
    address TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `name` and `email` are folded: nobody is two people by capital letters. `secret` is of the one-time code while
-- `code_until` is set, of the password otherwise, and missing when the code was used and no password set.
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    email TEXT UNIQUE,
    phone TEXT UNIQUE,
    organisation TEXT NOT NULL REFERENCES organisation (id),
    user_id TEXT UNIQUE,
    roles TEXT NOT NULL,
    sites TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    secret BLOB,
    must_change INTEGER NOT NULL,
    code_until TEXT,
    tries INTEGER NOT NULL,
    locked_until TEXT,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Only digests: who steals the database has nobody's session and nobody's link.
CREATE TABLE session (
    digest BLOB PRIMARY KEY,
    holder TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    until TEXT NOT NULL,
    site TEXT,
    notice TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX session_holder ON session (holder);

CREATE TABLE reset_link (
    digest BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id),
    until TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Mail and SMS: kept and shown, never sent. `qr` is the text of a QR code that the message carries.
CREATE TABLE letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('mail', 'sms')),
    at TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    qr TEXT
) STRICT;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    deed TEXT NOT NULL,
    about TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX audit_about ON audit (about);
