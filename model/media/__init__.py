"""Image and video bytes to RGB frames: the one decoder and sampler of training and serving."""
