"""Face detection and alignment for raw photos; the detector comes with the optional extra `align`."""
