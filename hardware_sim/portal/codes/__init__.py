"""Codes that open without plate or badge: passes of phones and guests, and what the screen at a gate shows."""
