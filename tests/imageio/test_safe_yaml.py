import pytest
import yaml

from maskwright.config import TrainConfig, parse_settings, read_config
from maskwright.data.readers.description import Description, read_description, write_description
from maskwright.errors import ConfigError
from maskwright.imageio import dump_yaml, inline_yaml, parse_yaml, read_yaml
from maskwright.planning.plan import comment

BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
BAD = {
    "aliases": (BOMB, r"written out, received the alias \*a0 \(line 2"),
    "merged keys": ("a: &b {c: 1}\n<<: *b\n", "alias"),
    "deep flow": ("a: " + "[" * 3000, "at most 20 levels"),
    "deep block": ("".join(" " * n + "a:\n" for n in range(600)), "at most 20 levels"),
    "twice": ("size: 32\nsize: 64\n", r"'size' twice \(line 2"),
    "long whole number": ("seed: " + "9" * 5000, "at most 30 digits"),
    "long base 60": ("seed: 1" + ":59" * 5000, "at most 30 digits"),
    "explicit date": ("seed: !!timestamp 2024-99-99", "timestamp"),
    "code": ("a: !!python/object/apply:os.getcwd []", "received the tag"),
    "surrogate": (r'a: "\ud800"', "surrogate"),
    "no word": ("[1, 2]: 3", "words as keys|unhashable"),
    "no word but a truth": ("yes: 3", "words as keys, received True"),
    "no mapping": ("a: !!map 3", "key: value"),
    "no number": ("a: !!int abc", "invalid literal"),
    "control character": ("a: \x01", "special characters"),
    "unclosed": ("a: [1", "expected"),
    "large": ("# " + "x" * 2**20, "more than 1 MB"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BAD)
def test_what_no_file_of_ours_holds_is_refused_in_one_short_sentence_at_once(tmp_path, name):
    text, named = BAD[name]
    path = tmp_path / "data.yaml"
    path.write_text(text)
    for read in (read_yaml, read_description, lambda p: read_config(p, {}, TrainConfig)):
        with pytest.raises(ConfigError, match=named) as refused:
            read(path)
        told = str(refused.value).replace(str(path), "")
        assert "\n" not in told
        assert len(told) < 200


def test_files_that_are_no_text_or_no_settings_are_refused(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes("name: café".encode("latin-1"))
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        read_config(path, {}, TrainConfig)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_config(tmp_path, {}, TrainConfig)
    for text, named in (
        ("- 1\n- 2", "key: value"),
        ("3: 4", "key: value"),
        (f"loss: [{'abcdefgh, ' * 1000}]", "loss cannot be"),
        ("seed: 99999999999", "seed cannot be"),
        ("learning_rate: .inf", "finite"),
        ("size: 2024-99-99", "size cannot be"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=named) as refused:
            read_config(path, {}, TrainConfig)
        assert len(str(refused.value)) < 400


def test_plain_values_come_back_and_dates_stay_text():
    values = {"a": [1, 2.5, None, True, "yes"], "b": {0: "x", "y": "2024-01-02"}, "ü": "\u2028\n#"}
    assert parse_yaml(dump_yaml(values)) == values
    assert yaml.safe_load(dump_yaml(values)) == values
    assert parse_yaml("when: 2024-01-02") == {"when": "2024-01-02"}
    assert parse_yaml("") is None
    shared = [1]
    assert "&" not in dump_yaml({"a": shared, "b": shared})
    assert parse_settings(["loss=*x", "taps={a, a: b}"]) == {"loss": "*x", "taps": "{a, a: b}"}


def test_one_line_holds_any_names_in_quotes_where_needed():
    names = ["dent", "no", "5", "5_all", "", "[a]", "&b", "*a", "a,_b", "a: b", "#c", "ü x", "'"]
    assert inline_yaml(names[:3]) == "[dent, 'no', '5']"
    for value in (names, dict.fromkeys(names, "*/a b.png"), {0: "no", "#000000": "x"}, *names):
        line = f"key: {inline_yaml(value)}"
        assert "\n" not in line
        assert parse_yaml(line) == {"key": value}


@pytest.mark.parametrize("mark", ["\n", "\r", "\x85", "\u2028", "\u2029", "\x00", "\ud800"])
def test_remarks_never_become_keys(tmp_path, mark):
    evil = f"the first: a{mark}seed: 7{mark}.png"
    write_description(tmp_path / "data.yaml", {"classes": ["a", "b"]}, [evil])
    assert read_description(tmp_path / "data.yaml") == Description(classes=["a", "b"])
    assert parse_yaml(comment(evil)) is None
