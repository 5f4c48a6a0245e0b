"""What a search leaves in its study: what it is of, a result for each setting, and the table of them."""

import json
from pathlib import Path

import optuna
from ml_collections import ConfigDict
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.evaluation import tables
from tfdfm.searching import storage

LOWER_IS_BETTER = {
    "frechet_distance",
    "kernel_distance",
    "ms_ssim",
    "nearest_neighbours",
    "sliced_wasserstein_distance",
    "test_error",
}
SHOWN = 20  # lines of the table


class _Sampler(TPESampler):
    """Tree-structured Parzen estimators (Bergstra et al., 2011) whose draw follows from the trials before it alone."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        super().__init__(seed=trial.number)
        super().before_trial(study, trial)


def described(kept: BaseStorage, directory: Path, about: dict, prune: bool) -> optuna.Study:
    """The study of the directory's name; `about` is the recipe, the scoring and the ranges of all its settings.

    Raises:
        UsageError: there are results of another; lists the keys that changed.
    """
    metric = about["scoring"]["metrics"][0]
    study = optuna.create_study(
        storage=kept,
        study_name=_name(directory),
        direction="minimize" if metric in LOWER_IS_BETTER else "maximize",
        sampler=_Sampler(),
        pruner=MedianPruner() if prune else NopPruner(),
        load_if_exists=True,
    )
    about = json.loads(json.dumps(about))
    if any(trial.state.is_finished() for trial in named(study).values()):
        if changed := recipes.differences(ConfigDict(study.user_attrs), ConfigDict(about)):
            raise UsageError(
                f"{directory} holds a search with another recipe or scoring: {'; '.join(changed)}. "
                "Pass another --search_dir, or the search's own settings."
            )
    else:
        for key, value in about.items():
            study.set_user_attr(key, value)
    return study


def named(study: optuna.Study) -> dict[str, FrozenTrial]:
    """{name: the trial that has its result, or is to have it}, by the number of the trial."""
    trials: dict[str, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        name = trial.user_attrs.get("name")
        lost = trial.state == TrialState.FAIL and not trial.user_attrs.get("failed")
        if name and not lost:
            trials.setdefault(name, trial)
    return trials


def begun(study: optuna.Study) -> dict[str, dict]:
    """{name: the parameters with which its last trial was begun}"""
    return {trial.user_attrs.get("name"): trial.params for trial in study.get_trials(deepcopy=False) if trial.params}


def read(directory: Path, url: str | None = None) -> list[dict]:
    """All results of a search, best first, those of failed settings last.

    Raises:
        UsageError: none.
    """
    kept = storage.opened(directory, url, write=False)
    found = _finished(kept, _name(directory)) if kept else []
    if not found:
        raise UsageError(f"Expected the results of tfdfm.search in {directory}, found none.")
    return sorted(found, key=_rank)


def _finished(kept: storage.Journal | storage.Database, name: str) -> list[dict]:
    """The results in a study; the seconds of those who were killed at a setting count, too."""
    try:
        if name not in optuna.get_all_study_names(kept):
            return []
        study = optuna.load_study(study_name=name, storage=kept)
        spent: dict[str, float] = {}
        for attributes in (trial.user_attrs for trial in study.get_trials(deepcopy=False)):
            spent[attributes.get("name")] = spent.get(attributes.get("name"), 0.0) + attributes.get("seconds", 0.0)
        finished = [trial.user_attrs for trial in named(study).values() if trial.state.is_finished()]
        keys = ("settings", "failed", "scores", "images_seen")
        return [{key: each[key] for key in keys} | {"seconds": spent[each["name"]]} for each in finished]
    finally:
        kept.close()


def value(result: dict) -> float | None:
    """The first score of a setting; None of one that failed."""
    return next((record["value"] for record in result["scores"].values()), None)


def table(results: list[dict]) -> str:
    """A line for each of the best settings: its scores, seconds and values."""
    rows = []
    for result in results[:SHOWN]:
        scores = {name: tables.rounded(record["value"]) for name, record in result["scores"].items()}
        values = {key: str(value) for key, value in result["settings"].items()}
        failed = {"": result["failed"]} if result["failed"] else {}
        rows.append(scores | {"seconds": f"{result['seconds']:.0f}"} | values | failed)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = tables.aligned([columns, *([row.get(column, "") for column in columns] for row in rows)])
    more = len(results) - SHOWN
    return text + (f"\n... and {more:,} more" if more > 0 else "")


def _name(directory: Path) -> str:
    return directory.absolute().name


def _rank(result: dict) -> tuple[bool, float]:
    found = value(result)
    if found is None:
        return True, 0.0
    return False, found if next(iter(result["scores"])) in LOWER_IS_BETTER else -found
