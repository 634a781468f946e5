"""A company's parking: its users, their contracts, and the apps of their phones."""
