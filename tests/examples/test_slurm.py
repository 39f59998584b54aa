"""The scripts of examples/slurm, run as SLURM would run them, with stand-ins for `srun` and `scontrol`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import called, environment, stored
from pages import ROOT, blocks

SCRIPTS = ROOT / "examples" / "slurm"
SHORT = ("--rates", "0.9", "--epochs", "1")
TRIES, SLOW = 5, "timed out during startup"  # Ray gives a start 30 seconds, which a busy machine may not keep
# `srun OPTIONS COMMAND` runs the command on this machine; the job has two machines, both of them this one.
SRUN = '#!/bin/bash\nwhile [[ "$1" == --* ]]; do shift; done\nexec "$@"\n'
SCONTROL = "#!/bin/bash\nprintf '%s\\n' first second\n"

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


def run(script: str, folder: Path, variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script as SLURM starts it: a copy, in the folder it was submitted from."""
    copy = shutil.copy(SCRIPTS / script, folder.parent / "slurm_script")
    commands = folder.parent / "bin"
    commands.mkdir(exist_ok=True)
    python = f'#!/bin/bash\nexec {shlex.quote(sys.executable)} "$@"\n'
    for name, content in {"srun": SRUN, "scontrol": SCONTROL, "python": python}.items():
        (commands / name).write_text(content)
        (commands / name).chmod(0o755)
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", str(copy), *arguments],
        cwd=folder, env=environment() | {"PATH": path, **variables}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.mark.parametrize("script", ["array.sh", "ray.sh"])
def test_the_page_shows_the_script(script: str) -> None:
    assert (SCRIPTS / script).read_text("utf-8") in blocks(ROOT / "docs" / "clusters.md", "bash")
    assert subprocess.run(["bash", "-n", str(SCRIPTS / script)]).returncode == 0


@pytest.mark.slow
def test_an_array_and_its_import(tmp_path: Path) -> None:
    """Two elements, of which one is submitted again, and one import: every trial once."""
    (folder := tmp_path / "job").mkdir()
    for element in ("3", "4", "3"):
        done = run("array.sh", folder, {"SLURM_ARRAY_TASK_ID": element}, *SHORT)
        assert done.returncode == 0, done.stderr
    assert "3 trials: 3 done before, 0 to train" in done.stderr
    assert stored(folder) == {}
    assert called(folder, "import", "trials").returncode == 0
    trials = stored(folder).values()
    seeds = sorted(re.findall(r'"seed":(\d+)', "".join(trial["bench.spec"] for trial in trials)))
    assert [trial["status"] for trial in trials] == ["FINISHED"] * 6 and seeds == ["3"] * 3 + ["4"] * 3


def started(folder: str) -> subprocess.Popen[str]:
    """A Ray that runs, of somebody else."""
    ray = str(Path(sys.executable).parent / "ray")
    command = [ray, "start", "--head", "--block", "--port=0", f"--temp-dir={folder}", "--include-dashboard=false"]
    for _ in range(TRIES):
        variables = environment() | {"RAY_AUTH_MODE": "disabled"}
        process = subprocess.Popen(
            command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )  # fmt: skip
        assert process.stdout is not None
        if any("block forever" in line for line in process.stdout):
            return process
        process.wait()
    raise AssertionError("Ray does not start")


@pytest.mark.slow
def test_a_ray_of_the_job_and_nobody_elses(tmp_path: Path) -> None:
    """It asks for the job's token, spreads the sweep, and ends by itself; a Ray that ran before goes on."""
    (folder := tmp_path / "job").mkdir()
    elsewhere = tempfile.mkdtemp(dir="/tmp")  # Ray takes no long path
    other = started(elsewhere)
    try:
        job = {
            "SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NODELIST": "two", "SLURM_JOB_NUM_NODES": "2",
            "SLURM_CPUS_PER_TASK": "1",
        }  # fmt: skip
        for _ in range(TRIES):
            done = run("ray.sh", folder, job, *SHORT, "--seeds", "1")
            if SLOW not in done.stdout + done.stderr:
                break
        assert done.returncode == 0, done.stderr
        assert other.poll() is None
    finally:
        other.terminate()
        other.communicate(timeout=120)
        shutil.rmtree(elsewhere)
    assert [trial["status"] for trial in stored(folder).values()] == ["FINISHED"] * 3
    assert {path.name for path in folder.iterdir()} <= {"csv", "mlflow.db", "mlruns", "mlartifacts"}  # no token
    assert not Path(f"/tmp/ray-{os.getpid()}").exists()
