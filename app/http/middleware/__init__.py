"""ASGI middleware, one concern in each file. ``app/main.py`` defines the order."""
