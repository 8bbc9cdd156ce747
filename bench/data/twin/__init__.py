"""Rendered twins: parametric 3-D faces with the classes, proportions and split of a licensed dataset (see
`population`)."""
