"""What a sweep shows while it runs, on stderr: a moving line on a terminal, plain lines elsewhere.

pace        how far the epochs are, and the time left
layout      the moving line: fixed columns for counts and time, the rest for bar and name
screen      counts, pace and the latest figure, shown
trials      what `run` shows: the listener of its trials
candidates  what `tune` shows: the listener of its candidates
"""

from bench.execution.progress.trials import Progress

__all__ = ["Progress"]
