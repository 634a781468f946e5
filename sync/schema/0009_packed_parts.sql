-- Parts are cut otherwise from now on, so that a list that is half here begins anew.
DELETE FROM list_shadow;
