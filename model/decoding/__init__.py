"""Decoding rows of any tasks in one batch: likeliest first or drawn, with rules of what must not come next."""
