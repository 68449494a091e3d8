"""Several requests in one: each item becomes a request that the application sends to itself."""
