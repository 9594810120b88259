"""What the job of a rule asks of a machine and of SLURM: from `hardware` and `cluster` of the configuration.

A rule names what it wants, ``hardware.mem_mb("build_graph")``; Snakemake calls what it gets with a job's wildcards and
the number of its attempt.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

Wildcards = Any  # Snakemake's wildcards: names as attributes
Answer = Callable[..., Any]
MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
# Rules whose needs are those of the model's size. Their next attempt goes on where the last one ended.
BY_SIZE = ("pretrain", "finetune")


def minutes(time: int | str) -> int:
    """A number of minutes, also from a time such as 30m, 4h or 2d.

    >>> minutes("4h")
    240
    """
    number, unit = re.fullmatch(r"(\d+)([mhd]?)", str(time)).groups()
    return int(number) * MINUTES[unit or "m"]


def site(cluster: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What is particular to a cluster; the environment (LINKBERT_ACCOUNT, ...) wins over the declaration."""
    said = {key: environment.get(f"LINKBERT_{key.upper()}", value) for key, value in cluster.items()}
    return {key: type(cluster[key])(value) for key, value in said.items()}


class Hardware:
    """What rules ask for.

    Args:
        config: the experiment's configuration.
        size_of: model -> its size, a key of ``hardware.pretrain`` and ``hardware.finetune``.
    """

    def __init__(self, config: Mapping[str, Any], size_of: Callable[[str], str]):
        self.needs, self.cluster, self.size_of = config["hardware"], site(config["cluster"]), size_of

    def _need(self, rule: str, wildcards: Wildcards) -> Mapping[str, Any]:
        need = self.needs[rule]
        return need[self.size_of(wildcards.model)] if rule in BY_SIZE else need

    def threads(self, rule: str) -> Answer:
        """Processor cores on each node."""
        return lambda wildcards: self._need(rule, wildcards).get("threads", 1)

    def mem_mb(self, rule: str) -> Answer:
        """Memory of each node in MB; half as much again with every further attempt."""
        return lambda wildcards, attempt: self._need(rule, wildcards)["mem_mb"] * (attempt + 1) // 2

    def runtime(self, rule: str) -> Answer:
        """Time limit in minutes; a job that has to begin anew gets as much again with every further attempt."""

        def answer(wildcards: Wildcards, attempt: int) -> int:
            return minutes(self._need(rule, wildcards)["runtime"]) * (1 if rule in BY_SIZE else attempt)

        return answer

    def gpu(self, rule: str) -> Answer:
        """GPUs over all nodes."""
        return lambda wildcards: self._gpus(rule, wildcards)

    def slurm(self, rule: str) -> dict[str, Answer]:
        """What the executor for SLURM reads besides: partition, kind of GPU, nodes, a warning before the time limit.

        With `mpi`, empty or not, the rule's command stands in the batch step and starts a job step itself
        (scripts/launch.py): so signals and GPUs are those of the training alone.
        """

        def where_several(value: Callable[[int], Any], otherwise: Any = None) -> Answer:
            def answer(wildcards: Wildcards) -> Any:
                nodes = self._nodes(rule, wildcards)
                return value(nodes) if nodes > 1 else otherwise

            return answer

        def with_gpu(key: str, otherwise: Any) -> Answer:
            return lambda wildcards: (self.cluster[key] or None) if self._gpus(rule, wildcards) else otherwise

        def extra(wildcards: Wildcards) -> str:
            nodes, gpus = self._nodes(rule, wildcards), self._gpus(rule, wildcards)
            kind = f"{self.cluster['gpu_type']}:" if self.cluster["gpu_type"] else ""
            spread = f" --gpus-per-node={kind}{gpus // nodes}" if nodes > 1 else ""
            return f"--signal=USR1@{self.cluster['warning']}{spread}"

        return {
            "slurm_partition": with_gpu("gpu_partition", self.cluster["cpu_partition"]),
            "gpu_model": with_gpu("gpu_type", None),
            "nodes": lambda wildcards: self._nodes(rule, wildcards),
            "tasks": where_several(lambda nodes: nodes),
            "tasks_per_gpu": where_several(lambda nodes: 0),  # else `tasks` would count for every GPU
            "mpi": where_several(lambda nodes: "srun", ""),
            "slurm_extra": extra,
        }

    def _gpus(self, rule: str, wildcards: Wildcards) -> int:
        return self._need(rule, wildcards)["gpus"]

    def _nodes(self, rule: str, wildcards: Wildcards) -> int:
        """As few machines as hold the GPUs."""
        return max(1, -(-self._gpus(rule, wildcards) // self.cluster["gpus_per_node"]))
