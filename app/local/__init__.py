"""Lifecycle of a model on this server: loaded in a child process, restarted after a crash, replaced by a reload."""
