"""A real SLURM on this machine: munged, slurmctld, and a slurmd for each of four pretended nodes.

Two nodes have processors (partition cpu), two have two GPUs each (partition gpu). The first two also form the partition
spare, whose jobs give way to those of the others and queue again. The GPUs are copies of /dev/null: SLURM hands them
out and counts them, nothing computes on them. Outside its folder there is only a link to its slurm.conf, where SLURM
looks for it by itself, because jobs lose the variable SLURM_CONF. A machine with a configuration there is left alone.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PACKAGES = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
NODES = ("cpu1", "cpu2", "gpu1", "gpu2")
GPUS = 2  # of each gpu node
# Of each node: more than the machine has, so that the tests decide what runs side by side.
CPUS, MEMORY = 8, 16000
LINK = Path("/etc/slurm/slurm.conf")

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
MinJobAge=3600
GresTypes=gpu
NodeName=cpu[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{cpu_ports}] CPUs={cpus} RealMemory={memory}
NodeName=gpu[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{gpu_ports}] CPUs={cpus} RealMemory={memory} Gres={gres}
PartitionName=cpu Nodes=cpu[1-2] Default=YES MaxTime=60 PriorityTier=10
PartitionName=gpu Nodes=gpu[1-2] MaxTime=60 PriorityTier=10
PartitionName=spare Nodes=cpu[1-2] MaxTime=60 PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
"""


class Unavailable(Exception):
    """This machine cannot run SLURM; says why."""


def install() -> None:
    """Install what is missing of munge and SLURM, without starting the packages' own services.

    Raises:
        Unavailable: not root, no apt, or no such packages.
    """
    if os.geteuid() != 0:
        raise Unavailable("SLURM's daemons need root")
    missing = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Unavailable(f"missing {', '.join(missing)}, and this is no Debian to install them on")
    policy = Path("/usr/sbin/policy-rc.d")
    own = not policy.exists()
    if own:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        wanted = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        for command in (["apt-get", "update", "-qq"], wanted):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"apt-get install {' '.join(missing)} failed: {done.stderr.strip()[-300:]}")
    finally:
        if own:
            policy.unlink()


def free_ports(number: int) -> int:
    """The first of that many neighbouring ports that nobody listens on."""
    for first in range(21000, 60000, 100):
        try:
            for port in range(first, first + number):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise Unavailable("no free ports")


class Slurm:
    """The cluster, from `start` to `stop`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def start(self) -> None:
        """Install, configure and start, until all nodes are idle.

        Raises:
            Unavailable: where this machine cannot.
        """
        if LINK.exists():
            raise Unavailable(f"there is a SLURM here already ({LINK})")
        install()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        host, first = socket.gethostname().partition(".")[0], free_ports(5)
        resolved = subprocess.run(["getent", "ahostsv4", host], capture_output=True, text=True).stdout
        if not resolved.startswith("127."):
            with open("/etc/hosts", "a") as hosts:  # the daemons listen on the loopback device alone
                hosts.write(f"127.0.0.1 {host}\n")
        ports = {"port": first, "cpu_ports": f"{first + 1}-{first + 2}", "gpu_ports": f"{first + 3}-{first + 4}"}
        sizes = {"cpus": CPUS, "memory": MEMORY, "gres": f"gpu:pretend:{GPUS}"}
        text = CONFIGURATION.format(folder=self.folder, host=host, **ports, **sizes)
        (self.folder / "slurm.conf").write_text(text)
        LINK.parent.mkdir(exist_ok=True)
        LINK.unlink(missing_ok=True)  # left by tests that were killed
        LINK.symlink_to(self.folder / "slurm.conf")
        for gpu in range(GPUS):
            try:
                os.mknod(self.folder / f"gpu{gpu}", 0o666 | 0o020000, os.makedev(1, 3))
            except PermissionError:
                raise Unavailable("no right to make device files") from None
        (self.folder / "gres.conf").write_text(
            f"NodeName=gpu[1-2] Name=gpu Type=pretend File={self.folder}/gpu[0-{GPUS - 1}]\n"
        )
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        self._start_munge()
        self._daemon("slurmctld", "-i", "-f", str(self.folder / "slurm.conf"))
        for node in NODES:
            self._daemon("slurmd", "-N", node, "-f", str(self.folder / "slurm.conf"))
        for _ in range(300):
            states = self.ask("sinfo", "-h", "-N", "-p", "cpu,gpu", "-o", "%T", check=False).split()
            if states == ["idle"] * len(NODES):
                return
            time.sleep(0.1)
        raise Unavailable(f"its nodes are not ready: {states}\n{self.logs()}")

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid"}
        files |= {"log-file": "munged.log", "seed-file": "munged.seed"}
        self._daemon("munged", "--force", *(f"--{option}={self.folder / name}" for option, name in files.items()))

    def _daemon(self, *command: str) -> None:
        """A program that goes to the background by itself."""
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(command)} failed: {done.stdout}{done.stderr}\n{self.logs()}")

    def stop(self) -> None:
        """Cancel all jobs, end the daemons and whatever a job has left running."""
        for job in self.jobs():
            self.ask("scancel", job, check=False)
        for _ in range(150):
            if not self.jobs():
                break
            time.sleep(0.1)
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            end(self.folder / f"{name}.pid")
        LINK.unlink(missing_ok=True)
        for gpu in range(GPUS):
            (self.folder / f"gpu{gpu}").unlink(missing_ok=True)

    def ask(self, *command: str, check: bool = True) -> str:
        """The output of a command of SLURM."""
        done = subprocess.run(command, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout.strip()

    def jobs(self, states: str = "PENDING,RUNNING,COMPLETING") -> dict[str, str]:
        """Job -> what Snakemake says it does, e.g. ``rule_pretrain_wildcards_bert-tiny``."""
        rows = self.ask("squeue", "-h", "--states", states, "-o", "%i|%k", check=False).splitlines()
        return dict(row.split("|", 1) for row in rows)

    def about(self, job: str) -> dict[str, str]:
        """What scontrol says of a job: JobState, Restarts, NodeList, ..."""
        words = self.ask("scontrol", "show", "job", job, "--oneliner").split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(self.folder.glob("*.log")))


def end(file: Path, patience: float = 10) -> None:
    """End the process that wrote its number into a file."""
    try:
        number = int(file.read_text())
        os.kill(number, signal.SIGTERM)
        for _ in range(int(patience * 10)):
            time.sleep(0.1)
            os.kill(number, 0)
        os.kill(number, signal.SIGKILL)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        pass
