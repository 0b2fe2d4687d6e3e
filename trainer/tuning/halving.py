"""Successive halving of recipes over parts of the training rows, as an Oracle of KerasTuner."""

from __future__ import annotations

from pydantic import JsonValue

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip


import keras_tuner
from keras_tuner.engine import trial as trials

CANDIDATE, PART = "tuner/candidate", "tuner/part"
"""Keys beside the hyperparameters of a trial: its recipe (0 is the configuration's), and the part of the rows."""

_DRAWS = 100  # of a recipe that was not drawn before


def rungs(candidates: int) -> list[tuple[int, int]]:
    """Returns the rounds: the number of recipes and the part of the rows (4 is a quarter) of each.

    Example:
        >>> rungs(8)
        [(8, 4), (4, 2), (2, 1)]
    """
    count = min(3, candidates.bit_length())
    return [(-(-candidates // 2**number), 2 ** (count - 1 - number)) for number in range(count)]


class HalvingOracle(keras_tuner.Oracle):
    """An oracle that tries every recipe on a part of the rows, the better half on twice as many, and so on up to all.

    Each trial trains its recipe from the beginning, so that epochs and decay mean the same as in the Trainer. The
    configuration's own recipe is in all rounds: the best is never worse than it.

    Args:
      candidates: recipes, the configuration's among them.
      space: the hyperparameters; their defaults are the configuration's recipe.
      seed: equal seeds draw equal recipes.
    """

    def __init__(self, candidates: int, space: keras_tuner.HyperParameters, seed: int):
        self._rungs = rungs(candidates)
        most = sum(count for count, _ in self._rungs) + len(self._rungs)
        super().__init__(
            objective=keras_tuner.Objective("val_loss", "min"),
            max_trials=most,
            hyperparameters=space,
            seed=seed + 1,  # KerasTuner takes 0 for none
            max_consecutive_failed_trials=most,
        )
        self.verbose = 0
        self._candidates = _draw(space, candidates, seed)

    def populate_space(self, trial_id: str) -> dict[str, JsonValue]:
        """Returns the next recipe of the first unfinished round."""
        entered = list(range(len(self._candidates)))
        for number, (count, part) in enumerate(self._rungs):
            if number:
                entered = self._promoted(self._rungs[number - 1][1], count)
            tried = {trial.hyperparameters.values[CANDIDATE] for trial in self._round(part)}
            for candidate in entered:
                if candidate not in tried:
                    values = {**self._candidates[candidate], CANDIDATE: candidate, PART: part}
                    return {"status": trials.TrialStatus.RUNNING, "values": values}
        return {"status": trials.TrialStatus.STOPPED}

    def get_best_trials(self, num_trials: int = 1) -> list[trials.Trial]:
        """Returns the completed trials, those on the most rows first, then by loss; losses on fewer rows mean less."""
        completed = [trial for trial in self.trials.values() if trial.status == trials.TrialStatus.COMPLETED]
        return sorted(completed, key=lambda trial: (trial.hyperparameters.values[PART], _key(trial)))[:num_trials]

    def reload(self) -> None:
        """Resumes a search that was killed; its unfinished trial starts over."""
        super().reload()
        ended = (trials.TrialStatus.COMPLETED, trials.TrialStatus.FAILED)
        self.trials: dict[str, trials.Trial] = {
            name: trial for name, trial in sorted(self.trials.items()) if trial.status in ended
        }
        self.end_order: list[str] = [name for name in self.end_order if name in self.trials]
        self._retry_queue: list[str] = []

    def _round(self, part: int) -> list[trials.Trial]:
        return [trial for trial in self.trials.values() if trial.hyperparameters.values[PART] == part]

    def _promoted(self, part: int, count: int) -> list[int]:
        completed = [trial for trial in self._round(part) if trial.status == trials.TrialStatus.COMPLETED]
        best = [trial.hyperparameters.values[CANDIDATE] for trial in sorted(completed, key=_key)[:count]]
        return sorted({*best, 0})


def _key(trial: trials.Trial) -> tuple[float, int]:
    # At equal losses the earlier recipe.
    return trial.score, trial.hyperparameters.values[CANDIDATE]


def _draw(space: keras_tuner.HyperParameters, count: int, seed: int) -> list[dict[str, JsonValue]]:
    drawn = [{parameter.name: parameter.default for parameter in space.space}]
    for number in range(_DRAWS * count):
        if len(drawn) == count:
            break
        # Each hyperparameter with a seed of its own: with one for all they would move together.
        values = {
            parameter.name: parameter.random_sample(seed * 1_000_003 + number * 101 + index)
            for index, parameter in enumerate(space.space)
        }
        if values not in drawn:
            drawn.append(values)
    return drawn
