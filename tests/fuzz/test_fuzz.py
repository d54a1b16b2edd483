"""Mutated files of every kind end in a result or in one sentence, in 10 s and 1 GB."""

import pytest
from harness import run, table
from kinds import KINDS

EXPORTED = ("keras", "savedmodel", "openvino", "litert")
"""Kinds whose valid files take long to make."""


@pytest.mark.parametrize(
    ("inputs", "kinds"),
    [
        (200, [name for name in KINDS if name not in EXPORTED]),
        pytest.param(20_000, list(KINDS), marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(7200)
def test_mutated_files_end_in_a_result_or_a_sentence(inputs, kinds, tmp_path):
    outcomes = list(run(kinds, inputs, tmp_path))
    assert len(outcomes) >= 0.95 * inputs
    faults = [outcome for outcome in outcomes if not outcome.held]
    assert not faults, table(outcomes)
