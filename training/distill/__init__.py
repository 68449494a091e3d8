"""Distillation: train a small backbone to reproduce the feature maps of large ones, on pictures without labels.

The method is that of a patient and consistent teacher (Beyer et al. 2022): teacher and student get the same random
views over a long training. ``pack`` stores the pictures in one file, ``fit`` trains, ``agreement`` evaluates.
"""
