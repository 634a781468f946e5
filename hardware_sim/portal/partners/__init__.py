"""Customers in charge of one another's devices: who pays for a scan, credits and invoices."""
