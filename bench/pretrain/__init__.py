"""Pre-training on rendered faces: a ResNet-18 that anyone may use, because it never saw a person (see `__main__`)."""
