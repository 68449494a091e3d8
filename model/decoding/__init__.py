"""Decoding of rows of any tasks in one batch: greedy, beam search or sampling, with constraints on the next token."""
