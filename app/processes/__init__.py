"""How processes are started, and how they exchange messages."""
