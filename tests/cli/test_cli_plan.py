"""`maskwright plan`, as a user runs it."""

import json

import yaml

from maskwright.data.synthetic.datasets import write_dataset


def test_plan_goes_to_standard_output_or_into_a_file(run, tmp_path):
    data = write_dataset(tmp_path / "data", num_images=14, size=32)
    given = ("plan", data, "--no-measure", "--set", "encoder_weights=none", "--minutes", "2")
    code, out, _ = run(*given)
    assert code == 0
    assert yaml.safe_load(out)["minutes"] == 2
    assert "# " in out
    code, out, _ = run(*given, "--json")
    assert {"key", "value", "reason"} == json.loads(out)["choices"][0].keys()
    code, out, _ = run(*given, "-o", tmp_path / "plan.yaml")
    assert out.strip() == str(tmp_path / "plan.yaml")
    assert (tmp_path / "plan.yaml").read_text().startswith("# A plan for")
