-- A stay that ended before it began, by its edge's own clock: the earliest and the latest that it may have been.
ALTER TABLE stay ADD COLUMN begun_at TEXT;
ALTER TABLE stay ADD COLUMN over_at TEXT;
DROP INDEX stay_over;
CREATE INDEX stay_over ON stay (user, coalesce(over_at, ended_at, left_at, '9'));

-- When a change was made: what leads on from long ago is not kept, because it names who has gone since.
ALTER TABLE delta ADD COLUMN at TEXT NOT NULL DEFAULT '';
UPDATE delta SET at = strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now');
CREATE INDEX delta_at ON delta (at);
