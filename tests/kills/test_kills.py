"""Every command survives SIGKILL at any moment; `killing.py --kills 300` tries more of them."""

import pytest
from killing import CASES, run, table


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_commands_finish_to_the_same_files(tmp_path):
    cases = [name for name in CASES if name != "predict with Ray"]
    outcomes = list(run(cases, 4, tmp_path))
    assert not [outcome for outcome in outcomes if outcome.fault], table(outcomes)
