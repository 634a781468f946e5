"""Devices of customers, and who may look at what happens there."""
