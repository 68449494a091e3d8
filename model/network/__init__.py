"""The network of the paper: Central Neural Processor, caches, attention."""
