#!/bin/bash
#SBATCH --job-name=freeze-or-prune
#SBATCH --array=0-4
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=02:00:00
#
# One seed for each element of the array, without Ray and without a server. All of them keep their trials in one folder:
#
#     sbatch examples/slurm/array.sh                    # trains; what is given here goes to `run`, as --dataset mnist
#     python -m bench import trials                     # when the array is done: into the store
#
# An element that was killed is submitted again by the same command, and goes on: what is in the folder is not trained again.
# With a GPU for each element: add `#SBATCH --gres=gpu:1`.
set -euo pipefail

seed=$SLURM_ARRAY_TASK_ID
python -m bench run --methods freeze,snip --rates 0.9:0.995 --seeds "$seed:$seed" --executor local --offline trials "$@"
