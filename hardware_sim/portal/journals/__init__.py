"""What edges tell: read, verified, stored once and acknowledged, and what it says of who is inside."""
