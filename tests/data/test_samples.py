from pathlib import Path

from maskwright.data.samples import Sample, unique_ids


def test_ids_take_as_much_of_the_path_as_they_need():
    assert unique_ids([("a", "1"), ("b", "2")]) == ["1", "2"]
    assert unique_ids([("a", "1"), ("b", "1")]) == ["a-1", "b-1"]
    assert unique_ids([("a", "1"), ("a", "1")]) == ["a-1", "a-1-2"]
    assert unique_ids([("a",), ("a",), ("a-2",)]) == ["a", "a-3", "a-2"]


def test_labels_are_one_for_the_image_or_one_for_each_mask():
    def labels(text):
        return Sample("s", Path("s.png"), (), "s", label=text).labels

    assert labels(None) == ()
    assert labels("ill") == ("ill",)
    assert labels("ill; well ;") == ("ill", "well", "")
