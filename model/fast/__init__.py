"""Fast inference: batch norm folding, merged linear layers, the decoder's step as a graph, precisions, devices."""
