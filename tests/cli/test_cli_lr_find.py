import json

from maskwright.data.synthetic.datasets import write_dataset


def test_lr_find_uses_the_settings_of_a_run(run, tmp_path):
    data, picture, plan = tmp_path / "data", tmp_path / "rate.png", tmp_path / "plan.yaml"
    write_dataset(data, num_images=8, size=32)
    plan.write_text("encoder: plain\nencoder_widths: [4, 8]\nbatch_size: 4\nsize: 32\n")
    command = ("lr-find", data, "--plan", plan, "--set", "loss=ce+dice", "--steps", 25)
    code, out, _ = run(*command, "--seconds", 0.1, "-o", picture, "--json")
    curve = json.loads(out)
    assert code == 0
    assert len(curve["rates"]) == len(curve["losses"]) <= 25
    assert curve["suggestion"] in (curve["lowest"] / 3, curve["steepest"])
    assert picture.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "plan.yaml", "rate.png"}
    code, out, err = run(*command, "--set", "loss=cee")
    assert code != 0
    assert "Expected a loss made of ce" in err
