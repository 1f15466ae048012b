"""Every number that decides what the bundled model becomes, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How the bundled model is built; the defaults are the ones that made it."""

    seed: int = 0

    # The split of the facts.
    unseen_subjects: float = 0.72
    """Share of subjects of which the model never reads a word. More than half, since the
    model is small: it holds some 3,000 facts well, and the rest serve as made-up answers."""
    known_tables: tuple[str, ...] = ("countries", "us_states")
    unseen_subjects_in_known_tables: float = 0.06
    """What everyone asks first should be known, but for a few subjects."""
    held_out_facts: float = 0.12
    """Share of the other facts that are kept back, where the subject has another fact."""

    # The bundled prompts.
    least_answers: int = 40
    """Only relations with so many different answers are asked about: where one of six
    continents is always right, spoiling the subject changes little, and there is little to see."""
    trained_prompts: int = 180
    held_out_prompts: int = 60
    unseen_prompts: int = 70

    # The model: deep and narrow, so that the figure has 32 layers and the file few bytes.
    vocab_size: int = 2048
    """Small, so that names are read in several pieces, as they are by larger models."""
    layers: int = 32
    hidden_size: int = 128
    intermediate_size: int = 384
    heads: int = 4
    kv_heads: int = 2
    rope_theta: float = 10_000.0

    # The training.
    steps: int = 2400
    batch_size: int = 128
    peak_learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    checkpoint_every: int = 100

    # The quantization.
    bits: int = 4
    group_size: int = 64
