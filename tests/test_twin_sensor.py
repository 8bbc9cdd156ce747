"""Does the sensor bin, blur and quantise as it says?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from bench.data.twin.presets import PRESETS
from bench.data.twin.scene import sample_scene
from bench.data.twin.sensor import bin_down, blur, display_curve, record
from bench.data.twin.stream import Domain, Stream

QUIET = replace(sample_scene(1, 1, PRESETS["easy"]), noise=0.0, blur=0.0, grey=False)


def test_binning_is_the_mean_of_each_block():
    fine = np.random.default_rng(0).random((3, 12, 12), np.float32)
    np.testing.assert_allclose(bin_down(fine, 3), fine.reshape(3, 4, 3, 4, 3).mean((2, 4)), rtol=1e-6)


@pytest.mark.parametrize("variance", [0.1, 0.4, 1.3])
def test_blur_is_repeated_three_tap_smoothing(variance):
    picture = np.random.default_rng(1).random((3, 16, 16), np.float32)
    passes = int(np.ceil(variance / 0.5))
    side = variance / 2 / passes
    expected = picture.astype(np.float64)
    for _ in range(passes):
        for axis in (1, 2):
            expected = convolve1d(expected, [side, 1 - 2 * side, side], axis, mode="nearest")
    np.testing.assert_allclose(blur(picture, variance), expected, atol=1e-5)


def test_blur_has_the_variance_that_it_is_given():
    point = np.zeros((1, 41, 41), np.float32)
    point[0, 20, 20] = 1
    spread = blur(point, 1.7)[0].sum(0)
    assert abs((spread * (np.arange(41) - 20) ** 2).sum() - 1.7) < 1e-4


def test_the_display_curve_is_gamma_2_2():
    expected = np.round(255 * (np.arange(4097) / 4096) ** (1 / 2.2))
    assert np.array_equal(display_curve(), expected)


def test_without_noise_and_blur_the_picture_is_the_curve_of_the_light():
    light = np.random.default_rng(2).random((3, 8, 8), np.float32)
    image = record(light, QUIET, Stream(0, Domain.PIXELS))
    expected = 255 * light.transpose(1, 2, 0) ** (1 / 2.2)
    assert np.abs(image - expected).max() < 1.6  # half a code, and the table's step near black


def test_noise_has_the_standard_deviation_of_the_scene():
    light = np.full((3, 64, 64), 0.5, np.float32)
    noisy = record(light, replace(QUIET, noise=0.02), Stream(0, Domain.PIXELS))
    linear = (noisy / 255.0) ** 2.2
    # standard deviation at intensity 1/2: 0.02 * (0.12 + 0.5 sqrt(1/2)) * 2.45 * 0.408 (of the triangular draws)
    assert abs(linear.std() - 0.02 * (0.12 + 0.5 * 0.5**0.5)) < 0.0006


def test_grey_film_has_three_equal_channels():
    light = np.random.default_rng(3).random((3, 8, 8), np.float32)
    image = record(light, replace(QUIET, grey=True), Stream(0, Domain.PIXELS))
    assert (image == image[..., :1]).all()
