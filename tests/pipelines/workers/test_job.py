"""What a worker reads is what its supervisor wrote, whole or not at all."""

from pathlib import Path

from pipelines.costs import Costs
from pipelines.workers.job import Job, read
from records.config import RunConfig


def test_a_job_comes_back_as_it_was_written(tmp_path: Path) -> None:
    config = RunConfig(data="x", spaces=("cnn", "own.py:Own"), data_dir=Path("/data"), quantiles=(0.2, 0.5, 0.8))
    job = Job(
        run_id="r",
        home="/home",
        prepared="/prepared",
        config=config,
        task="classification",
        objective="accuracy",
        started=12.25,
        deadline=600.5,
        num_test=29,
        refit_examples_factor=1.2,
        costs=Costs(package=7.5),
        threads=2,
        memory_bytes=3_000_000_000,
        workers=4,
    )
    path = tmp_path / "job.json"
    path.write_text("what an earlier supervisor left")
    job.write(path)
    assert read(path) == job
    assert [file.name for file in tmp_path.iterdir()] == ["job.json"]
    assert read(path).governor().deadline == 600.5 and read(path).governor().costs.package == 7.5
