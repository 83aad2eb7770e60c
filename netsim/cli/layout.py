"""Where the boxes of a picture stand: near in the graph, near on paper, and none on top of another.

Each connected part is laid out by stress majorization (Gansner, Koren, North 2004): distances on
paper follow the number of connections between two boxes. It is then turned to be wide rather than
tall, stretched until the boxes have room, and the parts are packed in rows. Deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Size = tuple[float, float]
Link = tuple[int, int]

GAP: Size = (196.0, 84.0)
"""Room between two boxes side by side, and one above the other: for the label of the link between them."""
LARGEST_PART = 250
"""Boxes of a part that is laid out by its links; a larger one becomes a grid (the work is quadratic)."""
_ROUNDS = 150
_PUSHES = 400
_ANGLES = 72


def place(sizes: Sequence[Size], links: Sequence[Link]) -> list[tuple[float, float]]:
    """The centre of each box; all boxes lie right of and below (0, 0)."""
    parts = _parts(len(sizes), links)
    rows: list[tuple[list[int], Points]] = []
    for part in parts:
        number = {box: k for k, box in enumerate(part)}
        inner = [(number[a], number[b]) for a, b in links if a in number]
        boxes = np.array([sizes[box] for box in part], np.float64)
        at = _part_layout(boxes, inner) if len(part) <= LARGEST_PART else _grid(boxes)
        at -= (at - boxes / 2).min(axis=0)
        rows.append((part, at))
    return _packed(sizes, rows)


def _parts(n: int, links: Sequence[Link]) -> list[list[int]]:
    """The connected parts, each in ascending order; the largest first."""
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for a, b in links:
        neighbours[a].append(b)
        neighbours[b].append(a)
    seen = [False] * n
    parts: list[list[int]] = []
    for start in range(n):
        if seen[start]:
            continue
        seen[start] = True
        part = [start]
        for box in part:
            for other in neighbours[box]:
                if not seen[other]:
                    seen[other] = True
                    part.append(other)
        parts.append(sorted(part))
    return sorted(parts, key=lambda part: -len(part))


def _part_layout(boxes: Points, links: Sequence[Link]) -> Points:
    n = len(boxes)
    if n == 1:
        return np.zeros((1, 2))
    at = _turned(_stress(_distances(n, links)))
    room = boxes.mean(axis=0) + GAP
    at = at * room
    at *= _stretch(at, boxes)
    return _apart(at, boxes)


def _distances(n: int, links: Sequence[Link]) -> NDArray[np.float64]:
    """How many links apart two boxes are, float64[n, n]; breadth first from each."""
    neighbours: list[set[int]] = [set() for _ in range(n)]
    for a, b in links:
        neighbours[a].add(b)
        neighbours[b].add(a)
    found = np.zeros((n, n))
    for start in range(n):
        reached = {start: 0}
        queue = [start]
        for box in queue:
            for other in sorted(neighbours[box]):
                if other not in reached:
                    reached[other] = reached[box] + 1
                    queue.append(other)
        for box, distance in reached.items():
            found[start, box] = distance
    return found


def _stress(distances: NDArray[np.float64]) -> Points:
    """Points whose distances are near the wanted ones, weighted by 1 / distance^2 (SMACOF)."""
    n = len(distances)
    angles = np.arange(n) * (2 * math.pi / n)
    # Not quite a circle: a perfect one may be a saddle the rounds don't leave.
    radius = n / 4 * (1 + 0.03 * np.arange(n) / n)
    at = np.stack((np.cos(angles) * radius, np.sin(angles) * radius), axis=1)
    weights = np.divide(1.0, distances**2, out=np.zeros_like(distances), where=distances > 0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)
        ratio = np.divide(weights * distances, apart, out=np.zeros_like(apart), where=apart > 1e-9)
        at = inverse @ ((np.diag(ratio.sum(axis=1)) - ratio) @ at)
    centred: Points = at - at.mean(axis=0)
    return centred


def _turned(at: Points) -> Points:
    """Turned so that the picture is as wide and flat as can be, the first box in the upper left half."""
    best, best_score = at, -math.inf
    for k in range(_ANGLES):
        angle = k * math.pi / _ANGLES
        turned = at @ np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        extent = turned.max(axis=0) - turned.min(axis=0)
        # Rounded: symmetric pictures have many equal best angles, and the first is to win everywhere.
        score = round(float(extent[0] - extent[1]), 3)
        if score > best_score:
            best, best_score = turned, score
    return best * np.where(best[0] > 1e-6, -1.0, 1.0)


def _stretch(at: Points, boxes: Points) -> float:
    """The least factor that gives every pair of boxes its room, within reason."""
    i, j = np.triu_indices(len(at), 1)
    apart = np.abs(at[i] - at[j]) + 1e-9
    wanted = (boxes[i] + boxes[j]) / 2 + np.array(GAP)
    return min(1.5, max(0.5, float((wanted / apart).min(axis=1).max())))


def _apart(at: Points, boxes: Points) -> Points:
    """Push boxes that are still too near each other apart, along the shorter way."""
    at = at.copy()
    i, j = np.triu_indices(len(at), 1)
    wanted = (boxes[i] + boxes[j]) / 2 + np.array(GAP) * 0.5
    for _ in range(_PUSHES):
        between = at[j] - at[i]
        lack = wanted - np.abs(between)
        rows = np.flatnonzero((lack > 0.5).all(axis=1))
        if not len(rows):
            break
        for row in rows.tolist():
            axis = int(lack[row, 1] < lack[row, 0])
            sign = 1.0 if between[row, axis] >= 0 else -1.0
            at[i[row], axis] -= sign * lack[row, axis] / 2
            at[j[row], axis] += sign * lack[row, axis] / 2
    return at


def _grid(boxes: Points) -> Points:
    columns = math.ceil(math.sqrt(len(boxes) / 1.5))
    step = boxes.max(axis=0) + np.array(GAP) * 0.4
    k = np.arange(len(boxes))
    at: Points = np.stack((k % columns, k // columns), axis=1) * step
    return at


def _packed(sizes: Sequence[Size], rows: list[tuple[list[int], Points]]) -> list[tuple[float, float]]:
    """The parts side by side, in rows about as wide as the largest part or the whole is tall."""
    ends = [np.array([at[k] + np.array(sizes[box]) / 2 for k, box in enumerate(part)]) for part, at in rows]
    extents = [end.max(axis=0) for end in ends]
    area = sum(float((width + GAP[0]) * (height + GAP[1])) for width, height in extents)
    limit = max(*(float(width) for width, _ in extents), math.sqrt(area) * 1.5) if extents else 0.0
    centres: list[tuple[float, float]] = [(0.0, 0.0)] * len(sizes)
    x = y = row_height = 0.0
    for (part, at), (width, height) in zip(rows, extents, strict=True):
        if x > 0 and x + width > limit:
            x, y, row_height = 0.0, y + row_height + GAP[1] * 0.6, 0.0
        for k, box in enumerate(part):
            centres[box] = (x + float(at[k, 0]), y + float(at[k, 1]))
        x += float(width) + GAP[0] * 0.4
        row_height = max(row_height, float(height))
    return centres
