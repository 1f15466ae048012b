"""What more ranks would buy, on paper: from the measured cost of what they cannot share.

    python tests/benchmarks/scaling.py [--prompts 10000] [--slower 1] [--json]

Measured here, with the bundled model, in processor seconds of one core (so that other programs
do not matter): what each rank does for itself (loading, planning, the checks of its first batch,
and looking after each batch how far the others are), what is divided (batches, and the clean
passes for the cosines), and what the first rank does in the end (reading the files of all,
averages and figure). A rank's time is what it does for itself and its share; the largest share
decides, counted in token-blocks over the batches as they are distributed. Shares of 10,000 prompts
are of made-up ones: the bundled ones over and over, with other ids. ``--slower 50`` asks how
it would be with a model that takes so many times as long for a token-block.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from records import HEADER, record

from mlxjsd.assets import PROMPTS
from mlxjsd.interventions.cost import Shape, sweep_token_blocks
from mlxjsd.model.load import load_model
from mlxjsd.output.artifacts import write_products
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.rank import Rank
from mlxjsd.run.batch import directions_of, measure_batch, measure_first_batch
from mlxjsd.run.plan import Plan, plan_run
from mlxjsd.store.reader import read_run, read_tried
from mlxjsd.store.shards import shard_name
from mlxjsd.store.writer import Store

RANKS = (1, 2, 4, 8, 16, 32, 64)
#: Batches whose time is taken.
SAMPLE = 6


@dataclass(frozen=True)
class Costs:
    """Seconds."""

    loading: float
    planning: float
    checks: float
    token_block: float
    clean_token: float
    """Of a clean pass for the cosines."""


@dataclass(frozen=True)
class Files:
    """Seconds for the files of so many ranks."""

    look: float
    """At how far all are, after a batch."""
    products: float
    """Reading all files twice (cosines, products), averages and figure."""


def taken(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def over_and_over(data: PromptFile, count: int) -> PromptFile:
    """Return a file of ``count`` prompts: the given ones again and again, with other ids."""
    given = data.prompts
    made = [replace(given[i % len(given)], id=f"{i}") for i in range(count)]
    return replace(data, prompts=tuple(made))


def blocks_of(plan: Plan, batch: list[Encoded]) -> int:
    shape = Shape.of(batch, plan.settings)
    return sweep_token_blocks(shape, plan.settings.window, plan.model.identity.layers)


def costs_of(data: PromptFile, count: int) -> tuple[Costs, Plan]:
    loading, model = taken(load_model)
    planning, plan = taken(lambda: plan_run(model, over_and_over(data, count)))
    sample = plan.batches[:SAMPLE]
    measure_batch(plan, sample[0])  # whatever is done once only is done here
    first, _ = taken(lambda: measure_first_batch(plan, sample[0]))
    again, _ = taken(lambda: measure_batch(plan, sample[0]))
    swept, _ = taken(lambda: [measure_batch(plan, batch) for batch in sample])
    clean, _ = taken(lambda: [directions_of(plan, batch) for batch in sample])
    tokens = sum(len(e.tokens) for batch in sample for e in batch)
    blocks = sum(blocks_of(plan, batch) for batch in sample)
    costs = Costs(loading, planning, max(first - again, 0.0), swept / blocks, clean / tokens)
    return costs, plan


def files_of(plan: Plan, size: int) -> Files:
    """Take the time of what is done with the files of ``size`` ranks."""
    layers, total = plan.model.identity.layers, plan.total
    header = {**HEADER, "layers": layers, "total": total}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(size):
            with Store(folder, header, shard_name(index)) as store:
                store.add([record(at, layers) for at in range(index, total, size)])
        look, _ = taken(lambda: read_tried(folder))
        reading, _ = taken(lambda: read_run(folder))
        products, _ = taken(lambda: write_products(folder))
    return Files(look, reading + products)


def seconds_for(costs: Costs, plan: Plan, size: int, files: Files, slower: float) -> dict[str, Any]:
    """Return how long ``size`` ranks would take, the slowest share deciding."""
    shares = [plan.share(Rank(index, size)) for index in range(size)]
    blocks = [sum(blocks_of(plan, batch) for batch in share) for share in shares]
    tokens = [sum(len(e.tokens) for batch in share for e in batch) for share in shares]
    looks = max(map(len, shares)) * files.look
    compute = costs.token_block * max(blocks) + costs.clean_token * max(tokens)
    own = costs.loading + costs.planning + costs.checks * slower
    return {
        "ranks": size,
        "own": own,
        "share": compute * slower,
        "looks": looks,
        "end": files.products,
        "seconds": own + compute * slower + looks + files.products,
        "largest_share": max(blocks) / (sum(blocks) / size),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--slower", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    costs, plan = costs_of(read_prompts(PROMPTS), asked.prompts)
    rows = []
    for size in RANKS:
        found = seconds_for(costs, plan, size, files_of(plan, size), asked.slower)
        found["speed_up"] = rows[0]["seconds"] / found["seconds"] if rows else 1.0
        rows.append(found)
    if asked.json:
        print(json.dumps({"prompts": plan.total, "costs": asdict(costs), "ranks": rows}, indent=2))
        return
    print(f"{plan.total} prompts in {len(plan.batches)} batches; seconds of one core:")
    print(f"  loading {costs.loading:.2f}, planning {costs.planning:.2f}, ", end="")
    print(f"checks {costs.checks:.2f}, a token-block {costs.token_block * 1e6:.2f} millionths, ")
    print(f"  a clean token {costs.clean_token * 1e6:.0f} millionths\n")
    print("ranks      own    share    looks      end    total  speed-up  largest share / mean")
    for row in rows:
        numbers = (row[name] for name in ("own", "share", "looks", "end", "seconds"))
        print(f"{row['ranks']:5}", *(f"{number:8.2f}" for number in numbers), end="")
        print(f"{row['speed_up']:10.2f}{row['largest_share']:22.2f}")


if __name__ == "__main__":
    main()
