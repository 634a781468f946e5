"""Which version of the program this is, for people and for the portal."""

from importlib import metadata


def software() -> str:
    """Name and version as installed; a checkout that is not installed has none."""
    try:
        return f"slagboom {metadata.version('slagboom')}"
    except metadata.PackageNotFoundError:
        return "slagboom from a checkout"
