import json

import numpy as np
import pytest

from maskwright.data.cases.known import KnownImages
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import terminal_table, to_dict, write_report
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.evaluation.report import instance_report
from maskwright.tasks.instances.evaluation.scores import evaluate_instances

LABELS = Labels.create(("background", "cell"))
CARD = InstanceCard(
    labels=LABELS, method="mask_rcnn", size=None, tile=None, channels=1, dtype="uint8",
    model_sha256="", version="", data="",
)  # fmt: skip


class Drawn:
    """Images of which each holds its own number of squares, and a broken one."""

    gap = None
    samples, case_from, known = (), "name", KnownImages()

    def content_hash(self, sample):
        return sample.id

    def __init__(self, root, counts):
        self.root, self.labels = root, LABELS
        self.counts = dict(zip("abcdefgh", counts, strict=False))

    def is_learned(self, _):
        return False

    def of(self, split):
        names = [*self.counts, "broken"]
        return [Sample(name, self.root / f"{name}.png", (), name, split) for name in names]

    def read_image(self, sample):
        if sample.id == "broken":
            raise DataError(f"{sample.image} is broken.")
        image = np.zeros((24, 64, 1), np.uint8)
        for place in range(self.counts[sample.id]):
            image[4:14, 10 * place + 1 : 10 * place + 9] = 10 * place + 10
        return image

    def read_with_gaps(self, sample):
        return self.read_image(sample), None, self.gap

    def read_objects(self, sample):
        return Instances.from_ids(self.read_image(sample)[..., 0])


class Finder:
    """Finds all but the first object, surely, and one that is not there, unsurely."""

    card = CARD

    def predict_all(self, image):
        true = Instances.from_ids(image[..., 0])
        ghost = np.zeros(true.size, bool)
        ghost[18:23, 50:60] = True
        masks = [true.mask(place) for place in range(1, len(true))]
        scores = [0.9] * len(masks) + [0.3]
        return Instances.from_masks([*masks, ghost], true.size, scores=scores)

    def confident(self, objects):
        return objects.at_least(CARD.score)


def test_what_is_kept_is_scored_and_everything_is_ranked(tmp_path):
    found = evaluate_instances(Finder(), Drawn(tmp_path, [2, 4, 1]), EvaluateOptions())
    # 1 of 2, 3 of 4, 0 of 1; the ghost is too unsure to count.
    assert found.scores["ap50"] == pytest.approx((1 / 2 + 3 / 4 + 0) / 3)
    assert found.counts[1].tolist() == [4, 0, 3]
    # F1 of 4 found and 3 missed, at an overlap of 1.
    assert found.scores["pq"] == pytest.approx(4 / (4 + 1.5))
    # Ranked, the ghosts come after the others: precision 1 up to a recall of 4/7.
    assert found.masks.ap == pytest.approx(58 / 101)
    assert np.isnan(found.intervals["ap50"]).all()  # three cases
    assert [skip.sample.id for skip in found.skipped] == ["broken"]


def test_predictions_where_an_image_has_no_data_do_not_count(tmp_path):
    class Sure(Finder):
        def confident(self, objects):
            return objects

    drawn = Drawn(tmp_path, [2, 4, 1])
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 3, 3]  # three ghosts
    drawn.gap = np.zeros((24, 64), bool)
    drawn.gap[17:, 48:] = True
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 0, 3]


def test_intervals_hold_the_scores(tmp_path):
    found = evaluate_instances(Finder(), Drawn(tmp_path, [3, 2, 4, 3, 2, 1]))
    assert found.class_cases.tolist()[1] == 6
    for name in ("ap50", "pq", "aji"):
        low, high = found.intervals[name]
        assert 0 < low < found.scores[name] < high < 1


def test_results_are_written_for_people_and_programs(tmp_path):
    found = evaluate_instances(Finder(), Drawn(tmp_path, [2, 4, 1]), EvaluateOptions())
    report = instance_report(found)
    page = write_report(report, tmp_path / "out")
    assert "AP at 0.5" in page.read_text()
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert written == to_dict(report)
    assert written["per_class"]["cell"]["missed"] == 3
    assert (tmp_path / "out" / "cases.csv").read_text().count("\n") == 4
    assert terminal_table(report).row_count == 7


def test_nothing_to_score_is_said(tmp_path):
    with pytest.raises(DataError, match=r"none of its 1 could be scored. The first: .*broken"):
        evaluate_instances(Finder(), Drawn(tmp_path, []))
