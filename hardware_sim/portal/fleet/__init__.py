"""Vehicles that subscribers share: registering, licences and badges, the pool, reservations and keys."""
