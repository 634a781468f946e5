-- Users who had several places and are no longer on the list: entries of theirs may be told of later.
CREATE TABLE left_list (user TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT;
