"""The index of pictures over HTTP: request and response bodies, and what a request does."""
