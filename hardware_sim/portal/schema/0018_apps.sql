-- How much later an edge's clock was than the portal's when it last spoke; rows of before do not say.
ALTER TABLE edge ADD COLUMN clock_off_ms INTEGER;

ALTER TABLE contact ADD COLUMN phone TEXT;
CREATE UNIQUE INDEX contact_phone ON contact (phone);

-- Apps that were asked for: by which revision the gates learn what became of it, and the sites that serve the user.
-- What state an app is in, the list says.
CREATE TABLE app (
    user_id TEXT PRIMARY KEY,
    rev INTEGER NOT NULL,
    sites TEXT NOT NULL,
    site TEXT,
    asked_by TEXT NOT NULL,
    asked_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One-time codes of `gate_controller.codes`, the newest for each purpose and person. Only what is slow to try is kept.
CREATE TABLE one_time_code (
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL,
    salt TEXT NOT NULL,
    digest TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    tries INTEGER NOT NULL,
    used_at TEXT,
    PRIMARY KEY (purpose, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    version TEXT NOT NULL,
    at TEXT NOT NULL,
    withdrawn_at TEXT
) STRICT;

CREATE INDEX consent_user ON consent (user_id);
