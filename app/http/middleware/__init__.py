"""What happens to every request before the endpoints see it, and to every answer after them: a concern a file.

``app/main.py`` says in which order they wrap one another.
"""
