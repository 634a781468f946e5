"""What a portal does by itself while it serves: whatever follows from an event, and what is over."""
