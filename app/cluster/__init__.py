"""The service on Ray Serve, for several machines; needs the extra ``ray`` and is imported only by Ray."""
