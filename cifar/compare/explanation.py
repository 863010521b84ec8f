"""What the reader of a comparison is told in sentences: what was not counted, and which tests were made, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cifar.compare.gather import Gathered
from cifar.compare.groups import Grouping, short, text, written
from cifar.compare.metric import Metric
from cifar.compare.statistics import Difference


def about_runs(gathered: Gathered, metric: Metric) -> Iterator[str]:
    """Which runs were found but not counted."""
    if states := Counter(run.state for run in gathered.runs if not run.finished):
        yield f"Not finished and not counted: {', '.join(f'{count} {state}' for state, count in states.most_common())}."
    if without := [run.name for run in gathered.runs if run.finished and metric.of(run) is None]:
        yield f"Finished, but without a finite {metric.name}: {listed(without)}."
    if gathered.repeats:
        yield (
            f"Runs with the same config and seed are no independent repeats: the newest of each is kept, "
            f"{gathered.repeats} left out."
        )


def about_groups(grouping: Grouping, wanted: Mapping[str, str], against: Sequence[int | None]) -> Iterator[str]:
    """What the groups are, and which of them could not be compared."""
    if grouping.pooled:
        yield (
            f"Each group is pooled over {', '.join(map(short, grouping.pooled))}: its mean and interval are of this "
            f"mixture. Runs are paired if they are alike in all of it and in the seed."
        )
    if len(grouping.groups) == 1:
        return
    if not wanted:
        key, value = next(iter(grouping.groups[0].values.items()))
        yield f"No baseline was chosen, so nothing is tested: name one, as in --baseline {short(key)}={text(value)}."
        return
    alone = [g.label for i, g in enumerate(grouping.groups) if against[i] is None and i not in against]
    if alone:
        yield f"No other group differs from these in {written(wanted)} alone: {listed(alone, '; ')}."


def methods(differences: Sequence[Difference], mcnemar: bool) -> str:
    """Which tests were made, and why these."""
    sentences = ["Mean ± standard deviation (n - 1), and the 95% confidence interval of the mean by Student's t."]
    tested = [difference for difference in differences if difference.p is not None]
    if any(difference.paired for difference in tested):
        sentences.append(
            "Where seeds are shared, the paired t-test over them: a seed draws the same images in the same order for "
            "both, and pairing takes out what that does."
        )
    if not all(difference.paired for difference in tested):
        sentences.append("Where fewer than three are shared, Welch's t-test, which allows for unequal variances.")
    if any(difference.exact for difference in tested):
        sentences.append("Where nothing varies with the seed, t is undefined; the exact permutation test instead.")
    if tested:
        sentences.append(_correction(len(tested)))
    if len(tested) < len(differences):
        sentences.append("Fewer than three seeds say nothing about the spread, so nothing is tested there.")
    if mcnemar:
        sentences.append(
            "McNemar's exact test counts the test images that only one of the two networks got right. It speaks of "
            "these two trained networks on this test set, not of the methods that made them; that takes seeds."
        )
    return " ".join(sentences)


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
