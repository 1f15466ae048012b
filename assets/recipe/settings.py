"""Every number that decides what the bundled model becomes, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How the bundled model is built; the defaults are the ones that made it."""

    seed: int = 0

    # The split of the facts.
    unseen_subjects: float = 0.70
    """Share of subjects of which the model never reads a word. More than half, since the model is
    small: it holds some 2,000 facts well, and the rest serve as made-up answers."""
    known_tables: tuple[str, ...] = ("countries",)
    unseen_subjects_in_known_tables: float = 0.06
    """What everyone asks first should be known, but for a few subjects."""
    held_out_facts: float = 0.18
    """Share of the other facts that are kept back, where the subject has another fact."""

    # The bundled prompts.
    commonest_answer: float = 0.12
    """Only relations are asked about in which no answer is right for a larger share of the
    subjects: what can be guessed from the relation alone hardly needs the subject, so corrupting
    it changes little, and there is little to see."""
    trained_prompts: int = 120
    held_out_prompts: int = 70
    unseen_prompts: int = 140

    # The model: deep and narrow, so that the figure has 32 layers and the file few bytes.
    vocab_size: int = 1024
    """Small, so that names are read in several pieces, as they are by larger models."""
    layers: int = 32
    hidden_size: int = 128
    intermediate_size: int = 384
    heads: int = 4
    kv_heads: int = 2
    rope_theta: float = 10_000.0

    initial_deviation: float = 0.03
    """Of the normal draws that the weights begin as. With larger ones the last token learns to
    read the subject's bare tokens in the first blocks and looks the fact up by itself; with
    smaller ones learning takes longer."""

    # The training.
    steps: int = 1600
    batch_size: int = 128
    peak_learning_rate: float = 2e-3
    warmup_steps: int = 100
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    checkpoint_every: int = 100

    # The quantization.
    bits: int = 4
    group_size: int = 64
