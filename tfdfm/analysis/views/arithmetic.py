"""Arithmetic of latents: the means of groups of samples, added and subtracted (slides; Radford et al., 2016, figure 7).

Without groups, numbered samples to choose from. With them a row for each group, its members and then the image of
their mean latent; below, nine images: in the middle that of the result, around it those of the result with uniform
noise in [-0.25, 0.25] added, as in the paper. Of a normal prior, means and the result are brought back to a norm of
sqrt(Z), where its samples lie: a mean of three has about 0.6 of that. Numbers: the norms before, and the mean absolute
difference of pixels, in 0..255, between the result's image and that of each group's mean.
"""

import re

import numpy as np

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import unit_to_uint8

NOISE, SIDE = 0.25, 3


def draw(subject: Subject, *, groups: str = "", classes: str = "", num: int = 64, seed: int = 0) -> Finding:
    """
    Args:
        groups: like "3,8,11-5,6,7+2,9,10": numbers of samples of `sample --seed=`, groups with + and - between.
        classes: one class, in which a conditional model draws all (its first).
        num: samples to choose from, where there are no groups.
        seed: of the samples and of the noise.
    """
    label = subject.labels(classes)[0] if subject.classes or classes else None
    if not groups:
        cells = _images(subject, subject.latents(num, seed), label)
        columns = min(10, num)
        cells = np.concatenate([cells, np.zeros([-num % columns, *cells.shape[1:]], np.uint8)])
        rows = [str(start) for start in range(0, num, columns)]
        shown = cells.reshape(-1, columns, *cells.shape[1:])
        return Finding(
            panels.named_grid(shown, subject.title, rows, [str(i) for i in range(columns)]), {"samples": num}
        )
    signs, members = _parsed(groups)
    drawn = subject.latents(1 + max(max(each) for each in members), seed)
    normal = subject.config.prior == "normal"
    means = np.stack([drawn[each].mean(axis=0) for each in members])
    result = np.tensordot(signs, means, 1)
    norms = [float(np.linalg.norm(z)) for z in (*means, result)]
    means, (result,) = _on_shell(means, normal), _on_shell(result[None], normal)
    noise = np.random.default_rng(seed).uniform(-NOISE, NOISE, [SIDE * SIDE, len(result)]).astype(np.float32)
    noise[SIDE * SIDE // 2] = 0
    around = _images(subject, result + noise, label)
    rows = [
        _images(subject, np.concatenate([drawn[each], mean[None]]), label)
        for each, mean in zip(members, means, strict=True)
    ]
    differences = [float(np.abs(row[-1].astype(float) - around[SIDE * SIDE // 2]).mean()) for row in rows]
    numbers = {"norms_of_means": norms[:-1], "norm_of_result": norms[-1], "result_from_means": differences}
    return Finding(_picture(subject.title, signs, members, rows, around), numbers)


def _parsed(groups: str) -> tuple[list[int], list[list[int]]]:
    """Signs, and the numbers of each group."""
    if not re.fullmatch(r"[+-]?\d+(,\d+)*([+-]\d+(,\d+)*)*", groups):
        raise UsageError(f"Expected --view.groups like 3,8,11-5,6,7+2,9,10, given {groups}.")
    found = re.findall(r"([+-]?)([\d,]+)", groups)
    return [-1 if sign == "-" else 1 for sign, _ in found], [[int(n) for n in text.split(",")] for _, text in found]


def _on_shell(latents: np.ndarray, normal: bool) -> np.ndarray:
    """Latents [N, Z], of a normal prior at the norm that its samples have."""
    if not normal:
        return latents
    return latents * np.sqrt(latents.shape[1]) / np.linalg.norm(latents, axis=1, keepdims=True)


def _images(subject: Subject, latents: np.ndarray, label: int | None) -> np.ndarray:
    """uint8 [N, H, W, C]"""
    labels = None if label is None else [label] * len(latents)
    return unit_to_uint8(subject.source.from_latents(latents, labels))


def _picture(title: str, signs, members, rows: list[np.ndarray], around: np.ndarray) -> np.ndarray:
    """The groups, their means in the last column; below the result among its neighbours."""
    width = max(len(row) for row in rows)
    blank = np.full([width, *around.shape[1:]], panels.WHITE, np.uint8)
    shown = [np.concatenate([row[:-1], blank[: width - len(row)], row[-1:]]) for row in rows]
    names = [
        f"{'-' if sign < 0 else '+'} {','.join(map(str, each))}" for sign, each in zip(signs, members, strict=True)
    ]
    above = panels.named_grid(np.stack(shown), title, names, [""] * (width - 1) + ["mean"])
    below = panels.named_grid(around.reshape(SIDE, SIDE, *around.shape[1:]), "the result, and noise added to it")
    return panels.beside([above, below])
