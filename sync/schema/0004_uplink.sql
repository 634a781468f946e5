-- Rows after `after` are the ledger's; earlier ones belong to those before it, the last of which it `follows`.
ALTER TABLE ledger ADD COLUMN after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN follows TEXT;
-- The number of the last connection to the portal.
ALTER TABLE ledger ADD COLUMN conn INTEGER NOT NULL DEFAULT 0;
