"""A model in the care of this server: loaded, revived and replaced, in a process of its own."""
