"""Datasets: readers, twins, cache, splits and augmentation."""
