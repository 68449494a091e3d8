"""Decoding of images and videos to RGB frames, shared by training and serving."""
