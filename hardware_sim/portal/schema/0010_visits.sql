-- Guests' passes: what is needed to make the same pass again for whoever has the link. `digest` is of the link's token.
CREATE TABLE visit (
    digest BLOB PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    number TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX visit_over ON visit (valid_to);
