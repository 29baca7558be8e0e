"""Ray Data, Train on the CPU and Tune, each small: printed as JSON.

libraries.py FOLDER
"""

import json
import sys

import ray

FOLDER = sys.argv[1]


def double(batch):
    batch["n"] = batch["n"] * 2
    return batch


def data():
    import pandas

    parts = [f"{FOLDER}/part{number}.parquet" for number in range(3)]
    for number, part in enumerate(parts):
        pandas.DataFrame({"n": range(10 * number, 10 * number + 10)}).to_parquet(part)
    ray.data.read_parquet(parts).map_batches(double).write_parquet(f"{FOLDER}/doubled")
    return sum(row["n"] for row in ray.data.read_parquet(f"{FOLDER}/doubled").take_all())


def loop():
    import ray.train

    rank = ray.train.get_context().get_world_rank()
    with open(f"{FOLDER}/part{rank}.parquet", "rb") as file:
        file.read()
    with open(f"{FOLDER}/rank{rank}.txt", "w") as file:
        file.write("x")


def train():
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    trainer = DataParallelTrainer(
        loop,
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(storage_path=f"{FOLDER}/train"),
    )
    return trainer.fit().error is None


def trial(config):
    with open(f"{FOLDER}/trial{config['x']}.txt", "w") as file:
        file.write("x")
    return {"score": config["x"] ** 2}


def tune():
    from ray import tune

    found = tune.Tuner(
        trial,
        param_space={"x": tune.grid_search([1, 2])},
        run_config=tune.RunConfig(storage_path=f"{FOLDER}/tune"),
    ).fit()
    return sorted(result.metrics["score"] for result in found)


if __name__ == "__main__":
    ray.init()
    found = {each.__name__: each() for each in (data, train, tune)}
    ray.shutdown()
    print(json.dumps(found))
