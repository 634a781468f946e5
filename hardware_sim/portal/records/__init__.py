"""Who there is at the portal beside the list: accounts, organisations, sessions, mail, and what was done."""
