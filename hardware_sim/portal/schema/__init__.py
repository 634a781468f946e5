"""Numbered migrations of the reference portal's database."""
