"""The authors' released checkpoints (github.com/subho406/OmniNet), turned into ours.

``releases`` says what there is, ``fetch`` downloads it, ``unpack`` reads its files where they can do no harm, ``names``
is the table of their names and ours, ``conf`` their vocabularies, ``importing`` makes a checkpoint folder of it all.
"""
