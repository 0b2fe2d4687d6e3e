"""Which recipe is tried next: successive halving over parts of the training rows, as an Oracle of KerasTuner."""

from __future__ import annotations

from pydantic import JsonValue

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip


import keras_tuner
from keras_tuner.engine import trial as trials

CANDIDATE, PART = "tuner/candidate", "tuner/part"
"""Beside the hyperparameters of a trial: its recipe (0 is the configuration's), and on which part of the rows."""

_DRAWS = 100  # of a recipe that was not drawn before


def rungs(candidates: int) -> list[tuple[int, int]]:
    """The rounds: how many recipes, and on which part of the rows (4 is a quarter).

    Example:
        >>> rungs(8)
        [(8, 4), (4, 2), (2, 1)]
    """
    count = min(3, candidates.bit_length())
    return [(-(-candidates // 2**number), 2 ** (count - 1 - number)) for number in range(count)]


class HalvingOracle(keras_tuner.Oracle):
    """Tries every recipe on a part of the rows, the better half on twice as many, and so on up to all.

    Each trial trains its recipe from the beginning, so that epochs and decay mean at every part what they mean to the
    Trainer. The configuration's own recipe goes through all rounds: the best is never worse than it.

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
        """The next recipe, of the first round that is not whole."""
        entered = list(range(len(self._candidates)))
        for place, (count, part) in enumerate(self._rungs):
            if place:
                entered = self._promoted(self._rungs[place - 1][1], count)
            tried = {one.hyperparameters.values[CANDIDATE] for one in self._round(part)}
            for candidate in entered:
                if candidate not in tried:
                    values = {**self._candidates[candidate], CANDIDATE: candidate, PART: part}
                    return {"status": trials.TrialStatus.RUNNING, "values": values}
        return {"status": trials.TrialStatus.STOPPED}

    def get_best_trials(self, num_trials: int = 1) -> list[trials.Trial]:
        """Those that ended well, the most rows first and of these the least loss; losses on other parts say less."""
        ended = [one for one in self.trials.values() if one.status == trials.TrialStatus.COMPLETED]
        return sorted(ended, key=lambda one: (one.hyperparameters.values[PART], _key(one)))[:num_trials]

    def reload(self) -> None:
        """Takes up a search that was killed; the trial that it was in begins anew."""
        super().reload()
        ended = (trials.TrialStatus.COMPLETED, trials.TrialStatus.FAILED)
        self.trials: dict[str, trials.Trial] = {
            name: one for name, one in sorted(self.trials.items()) if one.status in ended
        }
        self.end_order: list[str] = [name for name in self.end_order if name in self.trials]
        self._retry_queue: list[str] = []

    def _round(self, part: int) -> list[trials.Trial]:
        return [one for one in self.trials.values() if one.hyperparameters.values[PART] == part]

    def _promoted(self, part: int, count: int) -> list[int]:
        ended = [one for one in self._round(part) if one.status == trials.TrialStatus.COMPLETED]
        best = [one.hyperparameters.values[CANDIDATE] for one in sorted(ended, key=_key)[:count]]
        return sorted({*best, 0})


def _key(one: trials.Trial) -> tuple[float, int]:
    # At equal losses the earlier recipe.
    return one.score, one.hyperparameters.values[CANDIDATE]


def _draw(space: keras_tuner.HyperParameters, count: int, seed: int) -> list[dict[str, JsonValue]]:
    drawn = [{one.name: one.default for one in space.space}]
    for number in range(_DRAWS * count):
        if len(drawn) == count:
            break
        # Each hyperparameter with a seed of its own: with one for all they would move together.
        values = {
            one.name: one.random_sample(seed * 1_000_003 + number * 101 + place)
            for place, one in enumerate(space.space)
        }
        if values not in drawn:
            drawn.append(values)
    return drawn
