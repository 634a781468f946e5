"""Sampled texts: regular ones fit their country's layouts, the others do not pretend to."""

import numpy as np

from gate_controller.layouts import layouts_for
from recognition.training.texts import SLOTS_MAX, sample_text


def test_regular_texts_fit_a_layout_of_their_country() -> None:
    rng = np.random.default_rng(5)
    texts = [sample_text(rng) for _ in range(600)]
    regular = [text for text in texts if text.regular]
    assert 0.8 < len(regular) / len(texts) < 0.95
    for text in regular:
        key = "".join(text.groups)
        assert len(key) <= SLOTS_MAX
        assert layouts_for(key, text.country), text


def test_the_countries_that_matter_most_come_most() -> None:
    rng = np.random.default_rng(6)
    seen = [sample_text(rng).country for _ in range(2000)]
    assert len(set(seen)) > 30
    assert seen.count("F") > seen.count("BIH") * 3


def test_the_same_seed_samples_the_same_texts() -> None:
    one, two = np.random.default_rng(9), np.random.default_rng(9)
    assert [sample_text(one) for _ in range(20)] == [sample_text(two) for _ in range(20)]
