-- Who may have a certificate: the newest code's hash, wrong tries at it, and the hash of the key that used it.
CREATE TABLE enrolment (
    edge TEXT PRIMARY KEY,
    serial TEXT UNIQUE,
    code_hash BLOB NOT NULL,
    code_until TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    claimed_by BLOB,
    certificate_until TEXT,
    retired INTEGER NOT NULL DEFAULT 0
) STRICT;
