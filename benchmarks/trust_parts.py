"""What benchmarks/trust.py prints: a function for each part, from arrays to figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr
from scipy.stats import pearsonr, spearmanr

from maskwright.metrics import average_precision, roc_auc
from maskwright.metrics.pixel_probabilities import count_confidence, top_label_error
from maskwright.reliability.accept_rule import aurc, fit_accept_rule
from maskwright.reliability.familiarity import (
    FLAGGED,
    familiarity_p_values,
    fit_familiarity,
    shift_p_value,
)
from maskwright.reliability.label_audit import label_score
from maskwright.reliability.mask_quality import fit_quality, lower_bound, margin, mask_features
from maskwright.reliability.nested_masks import (
    THRESHOLDS,
    CaseCurves,
    case_curves,
    count_by_threshold,
)
from maskwright.reliability.pixel_temperature import (
    at_temperature,
    fit_pixel_temperature,
    sample_pixels,
)
from maskwright.reliability.promises import PromiseRequest, make_promise
from maskwright.reliability.risk_control import allowed_surely, betting_p_values
from spoiling import spoil

Figures = dict[str, object]


@dataclass(frozen=True)
class Pool:
    """Cases whose curves are known: `curves`, and the area of {p >= t} by that of the class."""

    curves: CaseCurves
    area: np.ndarray

    def __len__(self) -> int:
        return self.curves.n

    def of(self, cases: np.ndarray) -> CaseCurves:
        """Curves of drawn cases, which may repeat."""
        names = tuple(str(i) for i in range(len(cases)))
        return CaseCurves(names, self.curves.missed[cases], self.curves.false[cases])


def pool_of(probabilities: np.ndarray, truth: np.ndarray, cases: Sequence[str]) -> Pool:
    """Pool of the cases of images `(n, h, w)`."""
    pairs = zip(probabilities, truth, strict=True)
    counts = np.stack([count_by_threshold(p, t) for p, t in pairs])
    holding = counts[:, 0].sum(axis=1) > 0
    area = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1] / counts[:, 0].sum(
        axis=1, keepdims=True
    ).clip(1)
    names = [case for case, holds in zip(cases, holding, strict=True) if holds]
    area = np.stack(
        [area[holding][np.array(names) == c].mean(axis=0) for c in dict.fromkeys(names)]
    )
    return Pool(case_curves(counts, cases), area)


def simulated_pool(rng: np.random.Generator, cases: int = 400, side: int = 40) -> Pool:
    """Disks whose probabilities are too low, or whose place is wrong, in some cases."""
    rows, columns = np.mgrid[:side, :side]
    probabilities, truth = [], []
    for _ in range(cases):
        y, x = rng.uniform(0.35, 0.65, 2) * side
        radius = rng.uniform(0.15, 0.3) * side
        inside = radius - np.hypot(rows - y, columns - x)
        off = rng.normal(0, 1 + 4 * (rng.random() < 0.1), 2)
        seen = radius - np.hypot(rows - y - off[0], columns - x - off[1])
        noise = rng.normal(0, 1, (side, side)) + rng.normal(0, 0.7)
        probabilities.append(expit(1.2 * seen + noise).astype(np.float32))
        truth.append(inside > 0)
    return pool_of(np.stack(probabilities), np.stack(truth), [str(i) for i in range(cases)])


def average(pool: Pool, n: int = 50, splits: int = 200, seed: int = 0) -> list[Figures]:
    """Part 1: the realized risk of promises on average, beside a threshold without a margin."""
    lines = []
    for level in (0.1, 0.05):
        request = PromiseRequest(class_name="class", side="missed", level=level)
        rng, ours, plain = np.random.default_rng(seed), [], []
        for _ in range(splits):
            order = rng.permutation(len(pool))
            chosen, rest = pool.of(order[:n]), order[n:]
            step = _step(make_promise(request, chosen).threshold)
            bold = int(np.flatnonzero(chosen.missed.mean(axis=0) <= level).max())
            for found, place in ((ours, step), (plain, bold)):
                missed = pool.curves.missed[rest, place].mean()
                found.append((missed, pool.area[rest, place].mean(), missed <= level))
        risk, area, kept = np.mean(ours, axis=0)
        error = np.std([missed for missed, *_ in ours]) / np.sqrt(splits)
        plain_risk, plain_area, plain_kept = np.mean(plain, axis=0)
        lines.append(
            {
                **{"part": "1 average", "level": level, "n": n, "splits": splits},
                **_rounded(risk=risk, standard_error=error, outer_by_true=area, kept=kept),
                **_rounded(plain_risk=plain_risk, plain_outer=plain_area, plain_kept=plain_kept),
            }
        )
    return lines


def sure(pool: Pool, source: str, n: int = 60, draws: int = 2000, seed: int = 0) -> list[Figures]:
    """Part 2: how often the sure kinds are kept, in a pool whose true risk is known."""
    lines = []
    for side, tau in (("missed", None), ("missed", 0.1), ("false", None), ("false", 0.1)):
        request = PromiseRequest(class_name="class", side=side, level=0.1, tau=tau, delta=0.05)
        shares = pool.curves.missed if side == "missed" else pool.curves.false
        risk = (shares if tau is None else shares > tau).mean(axis=0)
        rng, steps = np.random.default_rng(seed), []
        for _ in range(draws):
            curves = pool.of(rng.integers(0, len(pool), n))
            steps.append(_step(make_promise(request, curves).threshold))
        area = pool.area.mean(axis=0)[steps].mean()
        lines.append(
            {
                **{"part": "2 sure", "source": source, "side": side, "kind": request.kind},
                **{"n": n, "draws": draws},
                **_rounded(kept=np.mean(risk[steps] <= 0.1), risk=risk[steps].mean(), area=area),
            }
        )
    return lines


def cases_against_images(draws: int = 2000, seed: int = 0) -> list[Figures]:
    """Part 3: cases of five images, of which one case in ten is missed, promised at a level of 0.1
    by images and by cases. The true risk is 0.118, so that every promise is broken.
    """
    lines = []
    for cases in (12, 60):
        rng, wrong = np.random.default_rng(seed), np.zeros(2)
        for _ in range(draws):
            losses = np.where(rng.random((cases, 1)) < 0.1, 1.0, 0.02)
            by_image = np.repeat(losses, 5, axis=0)
            wrong += [allowed_surely(x, 0.1, 0.05) > 0 for x in (by_image, losses)]
        images, ours = wrong / draws
        lines.append(
            {"part": "3 cases", "cases": cases, "images": 5 * cases}
            | _rounded(broken_by_images=images, broken_by_cases=ours)
        )
    return lines


def betting(draws: int = 20_000, seed: int = 0) -> list[Figures]:
    """Part 2: how often bets reject a mean loss that is just too high, at a delta of 0.1."""
    rng = np.random.default_rng(seed)
    shapes: Mapping[str, Callable[[tuple[int, int]], np.ndarray]] = {
        "0 or 1": lambda s: (rng.random(s) < 0.1).astype(float),
        "near 0 and 1": lambda s: np.abs((rng.random(s) < 0.0955) - 0.012 * rng.random(s)),
        "skew": lambda s: rng.beta(0.05, 0.45, s),
        "smooth": lambda s: rng.beta(2, 18, s),
    }
    return [
        {"part": "2 betting", "losses": name, "n": n, "draws": draws}
        | _rounded(rejected=np.mean(betting_p_values(draw((n, draws)), 0.1, 0.1) <= 0.1))
        for name, draw in shapes.items()
        for n in (30, 100, 300)
    ]


def temperature(arrays: Mapping[str, np.ndarray], n: int = 50, seed: int = 0) -> list[Figures]:
    """Part 4: the temperature of doubled logits, and calibration errors before and after it."""
    labels, cases = arrays["test/labels"].astype(np.int64), arrays["test/cases"].tolist()
    order = np.random.default_rng(seed).permutation(len(labels))
    plain = arrays["test/probabilities"]
    fitted, errors = {}, {}
    for name, values in (("plain", plain), ("doubled", at_temperature(plain, 0.5))):
        samples = [sample_pixels(values[i], labels[i]) for i in order[:n]]
        fitted[name] = fit_pixel_temperature(samples, [cases[i] for i in order[:n]])
        for state, t in (("before", 1.0), ("after", fitted[name])):
            scaled = [at_temperature(values[i], t) for i in order[n:]]
            counts = [
                count_confidence(labels[i], p, p.argmax(axis=-1))
                for i, p in zip(order[n:], scaled, strict=True)
            ]
            errors[f"{name}_{state}"], errors[f"{name}_band_{state}"] = top_label_error(sum(counts))
    ratio = fitted["doubled"] / fitted["plain"]
    return [{"part": "4 temperature", "n": n} | _rounded(**fitted, ratio=ratio, **errors)]


@dataclass(frozen=True)
class Masks:
    """Masks of a class: features, Dice and case of those whose truth or prediction holds it."""

    features: np.ndarray
    dice: np.ndarray
    cases: list[str]


def masks_of(arrays: Mapping[str, np.ndarray], label: int) -> Masks:
    """Masks of the test images."""
    both = [arrays[f"test/{name}"] for name in ("probabilities", "mirrored")]
    (p, mirrored), (mask, mirrored_mask) = (
        [values[..., label] for values in both],
        [values.argmax(axis=-1) == label for values in both],
    )
    truth = arrays["test/labels"] == label
    total = mask.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    held = np.flatnonzero(total)
    features = [mask_features(p[i], mirrored[i], mask[i], mirrored_mask[i]) for i in held]
    dice = 2 * (mask & truth).sum(axis=(1, 2))[held] / total[held]
    return Masks(np.stack(features), dice, [str(arrays["test/cases"][i]) for i in held])


def expected_dice(masks: Masks, splits: int = 200, seed: int = 0) -> list[Figures]:
    """Part 5: expected against true Dice, cross-fitted, and how often lower bounds hold in splits
    of two thirds and one third; the soft Dice as it is beside it.
    """
    _, expected = fit_quality(masks.features, masks.dice, masks.cases)
    figures: Figures = {"part": "5 expected Dice", "n": len(masks.dice)}
    for name, values in (("", expected), ("soft_", masks.features[:, 0])):
        figures |= _rounded(
            **{f"{name}spearman": spearmanr(values, masks.dice)[0]},
            **{f"{name}pearson": pearsonr(values, masks.dice)[0]},
            **{f"{name}auroc_below_0.8": roc_auc(masks.dice < 0.8, 1 - values)},
            **{f"{name}aurc_by_random": aurc(values, masks.dice) / (1 - masks.dice).mean()},
            **{f"{name}mean_error": np.abs(values - masks.dice).mean()},
        )
    figures |= _rounded(best_aurc_by_random=aurc(masks.dice, masks.dice) / (1 - masks.dice).mean())
    rng, held = np.random.default_rng(seed), []
    for _ in range(splits):
        a, b = np.split(rng.permutation(len(masks.dice)), [2 * len(masks.dice) // 3])
        names = [masks.cases[i] for i in a]
        model, inner = fit_quality(masks.features[a], masks.dice[a], names)
        bound = lower_bound(
            model.expected_dice(masks.features[b]), margin(inner, masks.dice[a], names)
        )
        held.append(((masks.dice[b] >= bound).mean(), bound.mean()))
    share, height = np.mean(held, axis=0)
    return [figures | _rounded(bound_holds=share, mean_bound=height)]


def accept(masks: Masks | None, n: int = 200, draws: int = 2000, seed: int = 0) -> list[Figures]:
    """Part 6: how often the accept rule is broken, and how much it accepts, in a pool of masks or,
    without one, of simulated ones.
    """
    rng, lines = np.random.default_rng(seed), []
    pools = {} if masks is None else {"data": (masks.features[:, 0], masks.dice)}
    for name, shift, slope in (
        ("easy", -2.3, 1.5),
        ("on the edge", -1.55, 1.2),
        ("hard", -0.5, 1.5),
    ):
        x = rng.normal(size=100_000)
        pools[f"simulated, {name}"] = (
            ndtr(x),
            (rng.random(x.size) >= ndtr(shift - slope * x)) * 1.0,
        )
    for name, (expected, dice) in pools.items():
        order = np.argsort(-expected, kind="stable")
        ranked = -expected[order]
        risk = (dice[order] < 0.8).cumsum() / np.arange(1, len(dice) + 1)
        found = []
        for _ in range(draws):
            drawn = rng.integers(0, len(dice), n)
            rule = fit_accept_rule(expected[drawn], dice[drawn], list(map(str, range(n))), need=0.8)
            end = 0 if rule is None else int(np.searchsorted(ranked, -rule.threshold, "right"))
            found.append((end > 0 and risk[end - 1] > 0.1, end / len(dice)))
        broken, accepted = np.mean(found, axis=0)
        lines.append(
            {"part": "6 accept", "source": name, "n": n, "draws": draws}
            | _rounded(bad=risk[-1], broken=broken, accepted=accepted)
        )
    return lines


def unfamiliar(
    arrays: Mapping[str, np.ndarray], n: int = 50, splits: int = 200, seed: int = 0
) -> list[Figures]:
    """Part 7: foreign and damaged images against test images, and false alarms among these."""
    model = fit_familiarity(arrays["train/features"])
    near = model.distances(arrays["test/features"])
    rng, alarms = np.random.default_rng(seed), []
    for _ in range(splits):
        a, b = np.split(rng.permutation(len(near)), [n])
        cases = [str(arrays["test/cases"][i]) for i in a]
        alarms.append((familiarity_p_values(near[b], near[a], cases) <= FLAGGED).mean())
    figures: Figures = {"part": "7 unfamiliar", "n": n} | _rounded(false_alarms=np.mean(alarms))
    found = {}
    for key in arrays:
        kind, _, name = key.partition("/")
        if kind == "foreign" or (kind == "damage" and name != "probabilities"):
            far = model.distances(arrays[key])
            labels = np.repeat([0, 1], [len(near), len(far)])
            found[name] = roc_auc(labels, np.concatenate([near, far]))
    for strength in ("strong", "mild"):
        found[f"{strength}, mean"] = np.mean(
            [v for k, v in found.items() if k.startswith(strength)]
        )
    return [figures | _rounded(**found)]


def shift(
    arrays: Mapping[str, np.ndarray], label: int, n: int = 50, splits: int = 200, seed: int = 0
) -> list[Figures]:
    """Part 9: what a promise would be worth on JPEG at quality 5, and how often it is withheld, of
    new images as they were and of damaged ones.
    """
    cases = arrays["test/cases"].tolist()
    truth = arrays["test/labels"] == label
    clean = pool_of(arrays["test/probabilities"][..., label], truth, cases)
    damaged = pool_of(arrays["damage/probabilities"][..., label], truth, cases)
    model = fit_familiarity(arrays["train/features"])
    near, far = (model.distances(arrays[k]) for k in ("test/features", "damage/strong/jpeg"))
    request = PromiseRequest(class_name="class", side="missed", level=0.1)
    rng, found = np.random.default_rng(seed), []
    for _ in range(splits):
        a, b = np.split(rng.permutation(len(near)), [n])
        names = [cases[i] for i in a]
        withheld = []
        for distances in (near[b], far[b]):
            p = familiarity_p_values(distances, near[a], names)
            flagged = int((p <= FLAGGED).sum())
            withheld.append(shift_p_value(flagged, len(b), len(set(names))) <= 0.01)
        a, b = np.split(rng.permutation(len(clean)), [n])
        step = _step(make_promise(request, clean.of(a)).threshold)
        found.append((damaged.curves.missed[b, step].mean(), *withheld))
    missed, as_they_were, withheld = np.mean(found, axis=0)
    return [
        {"part": "9 shift", "level": 0.1, "n": n, "splits": splits}
        | _rounded(missed=missed, withheld=withheld, withheld_without_damage=as_they_were)
    ]


def audit(
    arrays: Mapping[str, np.ndarray], out_of_fold: Mapping[str, np.ndarray], draws: int = 20
) -> list[Figures]:
    """Part 8: spoiled masks found by a model of clean masks, and by models of other folds."""
    background, found = arrays["names"].tolist().index("background"), []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        given, is_spoiled = spoil(arrays["test/labels"].astype(np.uint8), 0.2, rng, background)
        found.append(
            _average_precision(arrays["test/probabilities"], given, is_spoiled, background)
        )
    held_out = (out_of_fold[name] for name in ("probabilities", "given", "is_spoiled"))
    return [
        {"part": "8 audit", "draws": draws}
        | _rounded(
            clean_training=np.mean(found), out_of_fold=_average_precision(*held_out, background)
        )
    ]


def _average_precision(
    probabilities: np.ndarray, given: np.ndarray, is_spoiled: np.ndarray, background: int
) -> float:
    scores = [label_score(p, g, background) for p, g in zip(probabilities, given, strict=True)]
    return average_precision(is_spoiled, 1 - np.array(scores))


def _step(threshold: float) -> int:
    return int(np.searchsorted(THRESHOLDS, np.float32(threshold)))


def _rounded(**values: float) -> Figures:
    return {name: round(float(value), 4) for name, value in values.items()}
