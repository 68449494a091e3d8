"""The service on Ray Serve, over many machines; needs the extra ``ray``, and is imported only there."""
