"""Face detection and alignment for raw photos; onnxruntime and the detector's weights come with the optional extra
`align`."""
