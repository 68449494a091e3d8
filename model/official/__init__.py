"""Import of the checkpoints released by the authors of the paper (github.com/subho406/OmniNet).

``releases`` lists them, ``fetch`` downloads them, ``unpack`` reads their pickles in a restricted process, ``names``
renames the tensors, ``conf`` reads the vocabularies, and ``importing`` writes a checkpoint folder.
"""
