"""Benchmark of the service on Ray Serve with two nodes on one machine: cost, queueing and fault tolerance."""
