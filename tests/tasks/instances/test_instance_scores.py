import json

import numpy as np
import pytest

from maskwright.errors import DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.write import terminal_table, to_dict, write_report
from maskwright.instances import Instances
from maskwright.metrics.instances import tally_objects
from maskwright.tasks.instances.evaluation.report import instance_report
from maskwright.tasks.instances.evaluation.scorer import evaluate_instances
from memory_objects import MemoryObjects, MostFound


def test_what_is_kept_is_scored_and_everything_is_ranked(tmp_path):
    found = evaluate_instances(MostFound(), MemoryObjects(tmp_path, [2, 4, 1]), EvaluateOptions())
    # 1 of 2, 3 of 4, 0 of 1; the ghost is too unsure to count.
    assert found.scores["ap50"] == pytest.approx((1 / 2 + 3 / 4 + 0) / 3)
    assert found.counts[1].tolist() == [4, 0, 3]
    # F1 of 4 found and 3 missed, at an overlap of 1.
    assert found.scores["pq"] == pytest.approx(4 / (4 + 1.5))
    # Ranked, the ghosts come after the others: precision 1 up to a recall of 4/7.
    assert found.masks.ap == pytest.approx(58 / 101)
    assert np.isnan(found.intervals["ap50"]).all()  # three cases
    assert [skip.sample.id for skip in found.skipped] == ["broken"]


def test_predictions_where_nothing_is_known_do_not_count(tmp_path):
    class Sure(MostFound):
        def confident(self, objects):
            return objects

    drawn = MemoryObjects(tmp_path, [2, 4, 1])
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 3, 3]  # three ghosts
    drawn.gap = np.zeros((24, 64), bool)
    drawn.gap[17:, 48:] = True
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 0, 3]
    drawn.gap, drawn.ignored = None, drawn.gap
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 0, 3]
    drawn.ignored = np.ones((24, 64), bool)  # true objects are scored all the same
    found = evaluate_instances(Sure(), drawn, EvaluateOptions())
    assert found.counts[1].tolist() == [4, 0, 3]


def test_intervals_hold_the_scores(tmp_path):
    found = evaluate_instances(MostFound(), MemoryObjects(tmp_path, [3, 2, 4, 3, 2, 1]))
    assert found.class_cases.tolist()[1] == 6
    for name in ("ap50", "pq", "aji"):
        low, high = found.intervals[name]
        assert 0 < low < found.scores[name] < high < 1


def test_results_are_written_for_people_and_programs(tmp_path):
    found = evaluate_instances(MostFound(), MemoryObjects(tmp_path, [2, 4, 1]), EvaluateOptions())
    report = instance_report(found)
    page = write_report(report, tmp_path / "out")
    assert "AP at 0.5" in page.read_text()
    written = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert written == to_dict(report)
    assert written["per_class"]["cell"]["missed"] == 3
    assert (tmp_path / "out" / "cases.csv").read_text().count("\n") == 4
    table = terminal_table(report)
    assert (table.row_count, str(table.caption).count("6 for intervals")) == (7, 1)
    assert "There are no intervals" not in str(table.caption)


def test_nothing_to_score_is_said(tmp_path):
    with pytest.raises(DataError, match=r"none of its 1 could be scored. The first: .*broken"):
        evaluate_instances(MostFound(), MemoryObjects(tmp_path, []))


def test_pieces_of_one_object_are_duplicates_and_objects_count_by_size():
    def squares(*places):
        masks = []
        for rows, columns in places:
            mask = np.zeros((200, 200), bool)
            mask[slice(*rows), slice(*columns)] = True
            masks.append(mask)
        return Instances.from_masks(masks, (200, 200), scores=np.linspace(0.9, 0.5, len(masks)))

    true = squares(((0, 120), (0, 120)), ((150, 160), (150, 160)))
    # Two halves of the large one, the small one twice, and a false one of medium size.
    halves = (((0, 60), (0, 120)), ((60, 120), (0, 120)))
    small = ((150, 160), (150, 160))
    tally = tally_objects(squares(*halves, small, small, ((130, 190), (0, 60))), true, 2)
    assert tally.duplicates == 2
    # Each half has an IoU of 0.5, not above it, and a medium area, as the false one.
    assert tally.by_size.tolist() == [[1, 1, 0], [0, 3, 0], [0, 0, 1]]
