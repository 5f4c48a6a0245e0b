"""Takes the results of a search of tfdfm 0.1 into its study: python tools/import_search.py SEARCH_DIR

Once; what is in the study already is left as it is. search.json and every result.json stay, and are not read again.
"""

import json
import sys
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

from tfdfm import recipes
from tfdfm.searching import results, storage


def main(directory: Path) -> None:
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(directory.glob("*/result.json"))}
    about = json.loads((directory / "search.json").read_text())
    recipe = recipes.of_json(about["recipe"], directory / "search.json")
    about |= {"recipe": recipes.check(recipe).to_dict()}
    kept = storage.opened(directory, None, write=True)
    study = results.described(kept, directory, about | {"ranges": ""}, prune=False)
    new = found.keys() - results.named(study).keys()
    study.add_trials([trial(name, found[name]) for name in found if name in new])
    print(f"Imported {len(new):,} of {len(found):,} settings into {directory / storage.JOURNAL}.")


def trial(name: str, result: dict) -> optuna.trial.FrozenTrial:
    kinds = {int: IntDistribution, float: FloatDistribution}
    numbers = {key: value for key, value in result["settings"].items() if type(value) in kinds}
    return optuna.trial.create_trial(
        state=TrialState.FAIL if result["failed"] else TrialState.COMPLETE,
        value=results.value(result),
        params=numbers,
        distributions={key: kinds[type(value)](value, value) for key, value in numbers.items()},
        user_attrs=result | {"name": name, "folder": name},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
