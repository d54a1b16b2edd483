import json

import pytest

from maskwright.data.synthetic.datasets import write_dataset


@pytest.mark.slow
def test_the_command_searches_and_goes_on(run, tmp_path):
    data, out = tmp_path / "data", tmp_path / "search"
    write_dataset(data, num_images=8, size=32)
    settings = ("encoder=plain", "encoder_widths=[4, 8]", "batch_size=4", "size=32")
    given = [word for setting in settings for word in ("--set", setting)]
    command = ("search", data, "-o", out, "--vary", "learning_rate")
    code, told, err = run(*command, "--trials", 1, "--epochs", 1, *given)
    assert code == 0
    assert "Trials, best first" in told
    assert "--plan" in err
    code, told, _ = run("search", data, "-o", out, "--resume", "--trials", 2, "--json")
    assert code == 0
    assert [trial["number"] for trial in json.loads(told)["trials"]] == [1, 2]
    assert (out / "best.yaml").exists()
