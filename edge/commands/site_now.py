"""The site as its daemon has it: the cached list, the rules, who is inside. Looked at, never changed."""

from edge.config import Config
from gate_controller.occupancy import Occupancy
from gate_controller.site import Site
from sync.listfile import read_list
from sync.onlooker import look_in


def site_now(config: Config) -> Site:
    """What the daemon of these settings decides on; before its first run, what it would start with."""
    tz, rules = config.tz(), config.rules()
    store = config.path(config.store.path)
    if config.list is not None:
        allowlist = read_list(config.path(config.list.file), tz).allowlist
        occupancy = look_in(store).occupancy if store.exists() else Occupancy()
        return Site(allowlist, tz, occupancy, rules)
    seen = look_in(store)
    return Site(seen.allowlist, tz, seen.occupancy, rules, seen.cursor and seen.cursor.confirmed_at)
