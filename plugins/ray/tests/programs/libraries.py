"""Ray Data, Train on the CPU and Tune, each small: printed as JSON.

libraries.py FOLDER
"""

import json
import os
import sys

import ray
from ray import tune

FOLDER = sys.argv[1]


def double(batch):
    batch["n"] = batch["n"] * 2
    return batch


@ray.remote
class Consumer:
    def consume(self, iterator):
        return sum(int(batch["n"].sum()) for batch in iterator.iter_batches())


def data():
    import pandas

    parts = [f"{FOLDER}/part{number}.parquet" for number in range(3)]
    for number, part in enumerate(parts):
        pandas.DataFrame({"n": range(10 * number, 10 * number + 10)}).to_parquet(part)
    ray.data.read_parquet(parts).map_batches(double).write_parquet(f"{FOLDER}/doubled")
    splits = ray.data.read_parquet(parts).streaming_split(2)
    consumed = sum(ray.get([Consumer.remote().consume.remote(split) for split in splits]))
    return [
        sum(row["n"] for row in ray.data.read_parquet(f"{FOLDER}/doubled").take_all()),
        consumed,
    ]


def loop():
    import ray.train

    rank = ray.train.get_context().get_world_rank()
    with open(f"{FOLDER}/part{rank}.parquet", "rb") as file:
        file.read()
    with open(f"{FOLDER}/rank{rank}.txt", "w") as file:
        file.write("x")
    if rank == 1 and not os.path.exists(f"{FOLDER}/raised"):
        with open(f"{FOLDER}/raised", "w"):
            raise RuntimeError


def train():
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    trainer = DataParallelTrainer(
        loop,
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(
            storage_path=f"{FOLDER}/train", failure_config=FailureConfig(max_failures=1)
        ),
    )
    return trainer.fit().error is None


def trial(config):
    if config["x"] == 3:
        raise ValueError
    with open(f"{FOLDER}/trial{config['x']}.txt", "w") as file:
        file.write("x")
    return {"score": config["x"] ** 2}


class Growing(tune.Trainable):
    def setup(self, config):
        self.score = config["x"]

    def step(self):
        self.score += 1
        return {"score": self.score, "done": True}

    def save_checkpoint(self, folder):
        with open(f"{folder}/score.json", "w") as file:
            json.dump(self.score, file)

    def load_checkpoint(self, folder):
        raise NotImplementedError


def tunes():
    found = []
    for trainable, values in ((trial, [1, 2, 3]), (Growing, [5])):
        results = tune.Tuner(
            trainable,
            param_space={"x": tune.grid_search(values)},
            run_config=tune.RunConfig(
                storage_path=f"{FOLDER}/tune",
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=trainable is Growing),
            ),
        ).fit()
        found += [result.metrics["score"] for result in results if not result.error]
    return sorted(found)


if __name__ == "__main__":
    ray.init()
    found = {each.__name__: each() for each in (data, train, tunes)}
    ray.shutdown()
    print(json.dumps(found))
