"""Fast inference: batch norm folding, merged and packed linear layers, reduced precision, devices."""
