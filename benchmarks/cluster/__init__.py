"""The service on Ray Serve, with several nodes on one machine: what it costs, and what it survives."""
