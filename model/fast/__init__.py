"""How inference is made quick: folding, packing, precision, devices."""
