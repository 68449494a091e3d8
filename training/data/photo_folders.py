"""Folders of photos that several data sets share, in the order in which they are looked for.

``../<name>`` is a folder beside that of the data set.
"""

from __future__ import annotations

FLICKR8K = ("Flicker8k_Dataset", "../flickr8k/Flicker8k_Dataset")
FLICKR30K = (
    *("flickr30k_images", "flickr30k-images", "Flickr30K/flickr30k_images"),
    *("../flickr30k/flickr30k_images", "../flickr30k/flickr30k-images"),
)
VISUAL_GENOME = ("VG_100K", "../visual_genome/VG_100K")
VISUAL_GENOME_2 = ("VG_100K_2", "../visual_genome/VG_100K_2")


def coco_folders(name: str) -> tuple[str, ...]:
    """Return the places of one of COCO's folders of photos, such as ``train2014``."""
    return (name, f"images/{name}", f"../coco/{name}", f"../coco/images/{name}", f"../images/mscoco/images/{name}")
