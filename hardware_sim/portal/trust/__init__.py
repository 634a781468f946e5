"""Whom the portal and its edges believe: keys that sign, certificates, and the edges that are registered."""
