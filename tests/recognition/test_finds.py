"""What is made of a net's answer: corners in the frame's pixels, and each plate once."""

import numpy as np
import pytest

from recognition.finds import SIZE_MIN_PX, STRIDE_PX, Detection, decode, distinct, same_place


def _plates(rows: int = 8, cols: int = 12) -> np.ndarray:
    return np.zeros((rows, cols, 9), np.float32)


def _put(plates: np.ndarray, row: int, col: int, heat: float, width: float, height: float) -> None:
    half, high = width / 2, height / 2
    plates[row, col] = (heat, -half, -high, half, -high, half, high, -half, high)


def test_decoding_adds_the_offsets_to_the_cell_and_scales_to_the_frame() -> None:
    plates = _plates()
    _put(plates, 3, 5, 0.8, 40, 12)
    (found,) = decode(plates, np.array([[2.0, 0, 0], [0, 3.0, 0]]), 0.35)
    x, y = (5 + 0.5) * STRIDE_PX, (3 + 0.5) * STRIDE_PX
    assert found.score == pytest.approx(0.8)
    assert np.allclose(found.corners[0], ((x - 20) * 2, (y - 6) * 3))
    assert np.allclose(found.corners[2], ((x + 20) * 2, (y + 6) * 3))


def test_decoding_leaves_out_the_faint_the_tiny_the_twisted_and_the_double() -> None:
    one = np.eye(2, 3)
    plates = _plates()
    _put(plates, 3, 2, 0.3, 40, 12)
    _put(plates, 3, 6, 0.9, SIZE_MIN_PX[0] - 1, 12)
    assert decode(plates, one, 0.35) == []
    plates = _plates()
    plates[3, 5] = (0.9, -20, -6, 20, 6, 20, -6, -20, 6)
    assert decode(plates, one, 0.35) == []
    plates = _plates()
    _put(plates, 3, 4, 0.9, 60, 20)
    _put(plates, 3, 6, 0.8, 60, 20)
    assert [found.score for found in decode(plates, one, 0.35)] == [pytest.approx(0.9)]


def test_a_peak_at_the_table_s_corner_takes_its_neighbours_and_nothing_beyond() -> None:
    plates = _plates()
    _put(plates, 0, 0, 0.9, 30, 8)
    _put(plates, 0, 1, 0.8, 30, 8)
    plates[0, 11] = plates[7, 0] = (0.89, *[500.0] * 8)
    found = decode(plates, np.eye(2, 3), 0.5)[0]
    middle = (0.9 * 0.5 + 0.8 * 1.5) / 1.7 * STRIDE_PX
    assert np.allclose(np.mean(found.corners, axis=0), (middle, 0.5 * STRIDE_PX), atol=1e-3)


def _box(x: float, y: float, wide: float, high: float, score: float = 0.5) -> Detection:
    return Detection(((x, y), (x + wide, y), (x + wide, y + high), (x, y + high)), score)


def test_finds_are_of_one_place_when_they_share_a_quarter_of_the_smaller() -> None:
    one = _box(100, 100, 80, 20)
    assert same_place(one, _box(120, 104, 40, 10))
    assert not same_place(one, _box(175, 100, 80, 20))
    assert not same_place(one, _box(300, 100, 80, 20))
    assert not same_place(one, _box(100, 200, 80, 20))
    assert distinct([one, _box(105, 100, 80, 20), _box(300, 100, 80, 20)]) == [one, _box(300, 100, 80, 20)]
