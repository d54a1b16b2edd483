"""Every command survives SIGKILL at any moment; `killing.py --kills 300` tries more of them."""

import pytest
from killed_server import kill_servers
from killing import NAMES, STORE, run, table


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_commands_finish_to_the_same_files(tmp_path):
    cases = [name for name in NAMES if name not in ("predict with Ray", STORE)]
    outcomes = list(run(cases, 4, tmp_path))
    assert not [outcome for outcome in outcomes if outcome.fault], table(outcomes)


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_server_loses_nothing_that_it_kept_for_training(tmp_path_factory, kills):
    place = tmp_path_factory.mktemp("k")  # names of sockets may have 108 characters
    assert not [fault for _, fault in kill_servers(place, kills) if fault]
