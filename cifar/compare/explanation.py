"""What the reader of a comparison is told in sentences: what was not counted, and which tests were made, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cifar.compare import pools
from cifar.compare.contrasts import Contrast
from cifar.compare.gather import IMAGES, Gathered, Run
from cifar.compare.groups import Grouping, written
from cifar.compare.metric import resolution, sampling_error, value
from cifar.compare.pools import Pool
from cifar.metrics import Metric
from cifar.runs.variation import short, text

NORMAL = 1.96  # standard errors to each side, for 95%
# What the batches that a seed draws depend on.
BATCHES = ("data.name", "data.train_size", "data.val_size", "data.split_seed", "batch_size", IMAGES)


def about_runs(gathered: Gathered, metric: Metric) -> Iterator[str]:
    """Which runs were found but not counted."""
    if states := Counter(run.state for run in gathered.runs if not run.finished):
        yield f"Not finished and not counted: {', '.join(f'{count} {state}' for state, count in states.most_common())}."
    if without := [run.name for run in gathered.runs if run.finished and value(metric, run) is None]:
        yield f"Finished, but without a finite {metric.name}: {listed(without)}."
    if gathered.repeats:
        yield (
            f"Runs with the same config and seed are no independent repeats: the newest of each is kept, "
            f"{gathered.repeats} left out."
        )
    if gathered.conversions:
        yield f"Converted networks were not trained, and are no further runs: {gathered.conversions} left out."


def about_curves(runs: Sequence[Run]) -> Iterator[str]:
    """Which runs have no curves, though they should."""
    if without := [run.name for run in runs if run.lacks_rows]:
        yield f"Shown without curves, because metrics.csv is missing, lacks columns or is damaged: {listed(without)}."


def about_groups(grouping: Grouping, wanted: Mapping[str, str], against: Sequence[int | None]) -> Iterator[str]:
    """What the groups are, and which of them could not be compared."""
    if grouping.pooled:
        yield (
            f"Each group is pooled over {_pooled(grouping)}, averaged within a seed: its mean, interval and tests are "
            f"of this mixture."
        )
    if len(grouping.groups) == 1:
        return
    if not wanted:
        key, value = next(iter(grouping.groups[0].values.items()))
        yield f"No baseline was chosen, so nothing is tested: name one, as in --baseline {short(key)}={text(value)}."
        return
    alone = [g.label for i, g in enumerate(grouping.groups) if against[i] is None and i not in against]
    if alone:
        why = f"no group with {written(wanted)} has otherwise the same settings"
        yield f"Not compared, because {why}: {listed(alone, '; ')}."


def about_pools(
    grouping: Grouping, values: Sequence[Pool], against: Sequence[int | None], contrasts: Sequence[Contrast | None]
) -> Iterator[str]:
    """Whose means do not compare, and how many runs are in no test, and why."""
    uneven = [g.label for g, pool in zip(grouping.groups, values, strict=True) if pool and not pools.seed_means(pool)]
    if uneven:
        yield (
            f"Not every seed has a run of each {_pooled(grouping)}, so the mean is of an uneven mixture and has no "
            f"interval: {listed(uneven, '; ')}."
        )
    for group, base, contrast in zip(grouping.groups, against, contrasts, strict=True):
        if contrast is None or base is None or contrast.used == contrast.all_runs:
            continue
        used, base_used = (contrast.matched.used, contrast.matched.baseline_used) if contrast.matched else (0, 0)
        yield (
            f"Left out of the test of {group.label} against {grouping.groups[base].label}: "
            f"{contrast.runs - used} of {contrast.runs} and {contrast.baseline_runs - base_used} of "
            f"{contrast.baseline_runs} runs, which {_why_left_out(grouping, contrast)}. "
            f"{'The test is of the others, the means of the groups are of all.' if used else 'None are left.'}"
        )


def _pooled(grouping: Grouping) -> str:
    return ", ".join(map(short, grouping.pooled))


def _why_left_out(grouping: Grouping, contrast: Contrast) -> str:
    """What a run would have to share with one of the other group to be tested."""
    common = [short(key) for i, key in enumerate(grouping.pooled) if i not in contrast.own]
    own = [short(grouping.pooled[i]) for i in contrast.own]
    paired = contrast.matched is None or contrast.matched.paired
    reasons = []
    if paired or common:
        alike = f"of the same {' and '.join([*common, 'seed'])}" if paired else f"in every {' and '.join(common)}"
        reasons.append(f"have no counterpart {alike}")
    if own:
        reasons.append(f"are of a seed without all values of {' and '.join(own)}")
    return " or ".join(reasons)


def methods(metric: Metric, runs: Sequence[Run], contrasts: Sequence[Contrast | None], mcnemar: bool) -> str:
    """Which tests were made, why these, and what the intervals cover."""
    sentences = [
        "Mean ± standard deviation (n - 1) over seeds, and the 95% confidence interval of the mean by Student's t.",
        *_coverage(metric, runs),
    ]
    differences = [contrast.difference for contrast in contrasts if contrast]
    tested = [difference for difference in differences if difference and difference.p is not None]
    if any(difference.paired for difference in tested):
        sentences.append(_pairing(runs))
    if not all(difference.paired for difference in tested):
        sentences.append("Where fewer than three are shared, Welch's t-test, which allows for unequal variances.")
    if any(difference.floored for difference in tested):
        sentences.append(_floor(metric, runs))
    if tested:
        sentences.append(_correction(len(tested)))
    if len(tested) < sum(difference is not None for difference in differences):
        sentences.append("Fewer than three seeds say nothing about the spread, so nothing is tested there.")
    if mcnemar:
        sentences.append(
            "McNemar's exact test counts the test images that only one of the two networks got right. It speaks of "
            "these two trained networks on this test set, not of the methods that made them; that takes seeds."
        )
    return " ".join(sentences)


def _coverage(metric: Metric, runs: Sequence[Run]) -> Iterator[str]:
    """What the intervals say nothing of."""
    yield "Intervals and tests cover the noise of seeds only, on one test set and one split."
    reached = [(v, run) for run in runs if (v := value(metric, run)) is not None]
    errors = [e for v, run in reached if (e := sampling_error(metric, v, [run])) is not None]
    if errors:
        images = round(1 / resolution(metric, [run for _, run in reached]))
        yield (
            f"They do not include the sampling error of the images: an accuracy measured on {images:,} "
            f"{metric.share_of} images is known to within ±{100 * NORMAL * max(errors):.2f} points only (95%, "
            f"binomial), however many the seeds."
        )


def _pairing(runs: Sequence[Run]) -> str:
    paired = "Where seeds are shared, the paired t-test over them"
    if differing := [short(key) for key in BATCHES if len({text(run.choices.get(key)) for run in runs}) > 1]:
        return f"{paired}. A seed does not draw the same batches in all runs, as {', '.join(differing)} differ."
    return f"{paired}: a seed draws the same images in the same order for both, and pairing takes out what that does."


def _floor(metric: Metric, runs: Sequence[Run]) -> str:
    step = resolution(metric, runs)
    what = f"one image of {round(1 / step):,}" if step else "rounding"
    return f"Where seeds differ by less than {what}, that is taken for their spread."


def _correction(tests: int) -> str:
    needed = "Seeds needed: for a power of 0.8 at the level {}, if the difference is what it looks like now."
    if tests == 1:
        return f"The interval of a difference is of 95%. {needed.format('0.05')}"
    return (
        f"The interval of a difference is of 95%, uncorrected; p-values are corrected by Holm for {tests} comparisons. "
        f"{needed.format(f'0.05 / {tests}')}"
    )


def listed(names: Sequence[str], between: str = ", ") -> str:
    """The first three, and how many more."""
    return between.join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
