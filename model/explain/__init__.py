"""What an answer attended to, as numbers and as pictures."""
