-- How old the list was when that was last noted, counted by a clock that nobody can set. Of this confirmation only.
CREATE TABLE list_age (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    confirmed_at TEXT NOT NULL,
    age_s REAL NOT NULL
) STRICT;
