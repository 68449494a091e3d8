"""Distillation: a small backbone learns to see as a large one does, on pictures without labels.

A patient and consistent teacher (Beyer et al. 2022): both see the same random view, mixed with another one, for
a long time. ``pack`` keeps the pictures in one small file, ``fit`` trains, ``agreement`` measures what was learnt.
"""
