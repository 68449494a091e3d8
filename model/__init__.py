"""OmniNet: the network and everything a checkpoint needs to run.

Shapes are written with one legend of letters throughout the project:

====  ==========================================================
b     rows of a batch
t     time steps of one input (subwords, frames; 1 for an image)
s     spatial cells of one time step (1 for text)
d     width of the model, ``d_model``
n     positions of the decoder, or hypotheses of a row at one position
N     rows of a matrix, the sum of b * n over the parts of a batch
R     length of the temporal cache, the sum of t over the inputs
P     length of the spatial cache, the sum of t * s where s > 1
h     attention heads
k     width of one head
c     classes of a task
====  ==========================================================

Masks are boolean and true where there is something real.
"Paper" is Pramanik, Agrawal, Hussain 2019, arXiv 1907.07804.
"""
