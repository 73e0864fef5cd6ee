"""How well an untrained network separates images: activation patterns and input gradients."""

import torch
from torch import Tensor

from pelnas.proxies import FLOOR
from pelnas.proxies.passes import Passes

EPSILON = 1e-5  # of the papers' formulae
MANY_CLASSES = 100  # above it, EPE-NAS compares classes with one another


def nwot(passes: Passes) -> float | None:
    """Log determinant of the matrix of equal activation bits of every two images.

    Mellor et al., "Neural Architecture Search without Training", ICML 2021
    (NASWOT): an activation's bit says whether its input is positive. Activation
    layers count, functional activations are not seen. Undefined without activation layers.
    """
    kernel = passes.forward.kernel
    if kernel is None:
        return None
    sign, value = torch.linalg.slogdet(kernel.cpu())
    return float(value) if sign > 0 else FLOOR


def jacov(passes: Passes) -> float:
    """``-sum(log(v + k) + 1 / (v + k))`` over the eigenvalues v of the correlations of input gradients.

    k = 1e-5; the gradient of the summed logits at every image. Mellor et al.,
    "Neural Architecture Search without Training", first version, 2020.
    """
    correlations = correlation(passes.input_gradients)
    if correlations is None:
        return FLOOR
    shifted = torch.linalg.eigvalsh(correlations).clamp_min(0) + EPSILON
    return -float((shifted.log() + 1 / shifted).sum())


def epe_nas(passes: Passes) -> float:
    """Correlations of input gradients within each class, as log sums, added up over the classes.

    Per class ``s = sum(log(|r| + k))`` over all entries r of the correlation
    matrix, k = 1e-5. Up to 100 classes of the head: the sum of ``|s|``; above,
    s is divided by the images of its class, and the score is the sum of
    ``|s - s'|`` over ordered pairs of classes divided by the number of classes.
    Lopes et al., "EPE-NAS", ICANN 2021.
    """
    many = passes.forward.logits.shape[1] > MANY_CLASSES
    scores = []
    labels = passes.labels.cpu()
    for label in sorted(set(labels.tolist())):
        correlations = correlation(passes.input_gradients[labels == label])
        if correlations is None:
            return FLOOR
        score = (correlations.abs() + EPSILON).log().sum()
        scores.append(score / len(correlations) if many else score)
    values = torch.stack(scores)
    if not many:
        return float(values.abs().sum())
    return float((values[:, None] - values[None, :]).abs().sum() / len(values))


def correlation(rows: Tensor) -> Tensor | None:
    """Pearson correlations of rows, clipped to -1..1; ``None`` where a row is constant."""
    centred = rows - rows.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        return None
    unit: Tensor = centred / lengths
    return (unit @ unit.T).clamp(-1, 1)
