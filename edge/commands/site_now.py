"""The site as its daemon has it: the cached list, the rules, who is inside. Looked at, never changed."""

from edge import clock, present
from edge.config import Config
from gate_controller.site import Site
from sync.listfile import read_list
from sync.onlooker import look_in


def site_now(config: Config) -> Site:
    """What the daemon of these settings decides on; before its first run, what it would start with.

    A list file that changed since the daemon read it is told as a warning. Raises `SlagboomError`.
    """
    tz, rules, store = config.tz(), config.rules(), config.path(config.store.path)
    file = None if config.list is None else config.path(config.list.file)
    listed = None if file is None else read_list(file, tz).allowlist
    if listed is not None and not store.exists():
        return Site(listed, tz, rules=rules, inactive=config.inactive(), name=config.site_name())
    seen = look_in(store)
    if listed is not None and listed.epoch != seen.allowlist.epoch:
        present.warning(
            f"{file}: changed since the site read it; while it runs it takes a good list over within seconds"
        )
    confirmed_at = seen.cursor.confirmed_at if seen.cursor else None
    # As a time that runs like the wall's, which is what commands decide by.
    since_s = clock.now().wall.timestamp() - seen.list_age_s
    inactive, voids = config.inactive(seen.switched), frozenset(seen.voids)
    name = config.site_name()
    return Site(seen.allowlist, tz, seen.occupancy, rules, confirmed_at, since_s, inactive, voids, name)
