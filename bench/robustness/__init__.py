"""How well do kept weights answer worse images, or images from elsewhere?  Measured once, rendered without weights."""
