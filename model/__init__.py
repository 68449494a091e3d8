"""OmniNet: the network and everything needed to run a checkpoint.

Shapes in docstrings and comments use these letters throughout the project:

====  ==============================================================
b     rows of a batch
t     time steps of one input (subwords or frames; 1 for an image)
s     spatial cells of one time step (1 for text)
d     width of the model, ``d_model``
n     decoder positions of a row, or hypotheses of a row at one position
N     rows of a stacked matrix: the sum of b * n over the parts of a batch
R     length of the temporal cache: the sum of t over the inputs
P     length of the spatial cache: the sum of t * s over the inputs with s > 1
h     attention heads
k     width of one head (query, key or value)
c     classes of a task
====  ==============================================================

Masks are boolean: true at real values, false at padding.
"Paper" is Pramanik, Agrawal, Hussain 2019, arXiv 1907.07804.
"""
