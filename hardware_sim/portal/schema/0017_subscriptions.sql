-- Whom events go on to: `target` is an address of the web or of a mailbox, `events` are kinds with spaces between,
-- `device` is empty for all. `sealed` is what a webhook is signed with.
CREATE TABLE subscription (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisation (id),
    means TEXT NOT NULL,
    target TEXT NOT NULL,
    events TEXT NOT NULL,
    device TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    sealed BLOB,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Hosts that the operator lets webhooks go to.
CREATE TABLE webhook_host (
    host TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What was told or is to be told; `said` is what the other side answered, or why not. An event goes to a subscription
-- once, and again only when somebody asks for it.
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    device TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    said TEXT NOT NULL,
    due_at TEXT NOT NULL,
    told_at TEXT NOT NULL,
    UNIQUE (subscription, event)
) STRICT;
CREATE INDEX delivery_due ON delivery (subscription, due_at) WHERE state = 'waiting';
CREATE INDEX delivery_told ON delivery (told_at);
