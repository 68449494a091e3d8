"""Image and video bytes to RGB frames: the one decoder and sampler of training and serving."""

from model.media.images import Picture, decode_image, image_to_tensor
from model.media.limits import MediaLimits
from model.media.videos import Clip, decode_video

__all__ = ["Clip", "MediaLimits", "Picture", "decode_image", "decode_video", "image_to_tensor"]
