"""`slagboom operate waiting`: who waits for a badge here, and which badges wait for the portal; looked at only."""

from datetime import tzinfo
from pathlib import Path

from edge import present
from edge.commands.site_now import site_now
from edge.config import load_config
from gate_controller.desk import may_enrol, waiting
from gate_controller.users import User
from sync.messages import Enrol
from sync.onlooker import badges_waiting


def who_waits(config: Path) -> int:
    """Print those who are pre-registered, this site's first. Raises `SlagboomError`."""
    settings = load_config(config)
    site = site_now(settings)
    tapped = {asked.user: asked for asked in badges_waiting(settings.path(settings.store.path))}
    users = waiting(site.allowlist.users(), site.name)
    rows = [
        (user.external_id, user.name, user.home_site, _stands(user, tapped.get(user.id), site.tz)) for user in users
    ]
    present.table("Waiting for a badge", ("User", "Name", "Home site", "State"), rows)
    return 0


def _stands(user: User, asked: Enrol | None, tz: tzinfo) -> str:
    """The one thing that comes next."""
    if asked is not None:
        return f"badge tapped {asked.at.astimezone(tz):%H:%M:%S}, {asked.clerk}; no rights until the portal answers"
    reason = may_enrol(user, None)
    return reason.value if reason is not None else "may get a badge"
