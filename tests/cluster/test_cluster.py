"""The demo on a real SLURM, from start to tables, and again after every disaster: the same tables, nothing done twice.

Of the two models of the demo, `linkbert-tiny` is trained by two processes on two nodes, `linkbert-tiny-uniform` by one.
"""

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from workplace import Workplace, until

PAIR, SINGLE = "linkbert-tiny", "linkbert-tiny-uniform"
WHOLE = 4  # fine-tuning runs: two models, two tasks


def same(place: Workplace, finished: Workplace) -> None:
    """Check that a disturbed run came to the results of an undisturbed one, and repeated nothing that was whole."""
    for model in (PAIR, SINGLE):
        assert place.weights(model) == finished.weights(model), model
    assert place.tables() == finished.tables()
    assert place.made() == finished.made()
    for log in place.results.glob("logs/finetune/*/*.log"):
        runs, before = re.search(r"(\d+) runs, of which (\d+) were finished before", log.read_text()).groups()
        assert runs == before, log


def submitted(said: str) -> list[str]:
    """The rules of the jobs that Snakemake gave to SLURM, in order."""
    return re.findall(r"has been submitted with SLURM jobid \d+ \(log: .*?/rule_(\w+)/", said)


def continued(place: Workplace, model: str) -> bool:
    return bool(re.search(r"continuing at step [1-9]", place.log("pretrain", model)))


# From start to tables -------------------------------------------------------------------------------------------------


def test_every_costly_job_is_a_job_of_the_cluster_once(finished):
    counts = {rule: submitted(finished.said.read_text()).count(rule) for rule in submitted(finished.said.read_text())}
    assert (counts["pretrain"], counts["finetune"], counts["tokenize_documents"], counts["build_graph"]) == (2, 2, 1, 1)
    assert not counts.keys() & {"download_file", "download_hub", "make_table", "summarize_tables", "judge_claims"}


def test_tables_have_numbers(finished):
    cells = json.loads((finished.results / "tables" / "table5_ablation.json").read_text())["cells"]
    assert len(cells) == WHOLE and all(cell["mean"] is not None for cell in cells)


def test_a_training_on_two_nodes_had_a_process_and_a_gpu_on_each(finished):
    records = {model: finished.results / "models" / model / "training.json" for model in (PAIR, SINGLE)}
    assert {model: json.loads(path.read_text())["processes"] for model, path in records.items()} == {PAIR: 2, SINGLE: 1}
    done = finished.slurm.jobs("COMPLETED").items()
    (pair,) = [finished.slurm.about(job) for job, what in done if what == f"rule_pretrain_wildcards_{PAIR}"]
    assert (pair["Partition"], pair["NumNodes"]) == ("gpu", "2")
    assert re.fullmatch(r"gres.gpu:pretend:1", pair["TresPerNode"])


def test_a_second_run_has_nothing_to_do(finished):
    told = finished.said.read_text()
    finished.start()
    assert "Nothing to be done" in finished.finish()
    finished.said.write_text(told)


# Disasters ------------------------------------------------------------------------------------------------------------


def test_a_killed_process_on_a_drained_node_and_a_lost_node(place, finished):
    """The one is tried again elsewhere, the other queues again; both go on from their last saved state."""
    place.start()
    pair, single = place.job(PAIR), place.job(SINGLE)
    drained, lost = place.slurm.about(single)["NodeList"], place.slurm.about(pair)["NodeList"]
    place.slurm.ask("scontrol", "update", f"NodeName={drained}", "State=DRAIN", "Reason=test")
    place.kill(single)
    try:
        # A lost node answers no more, and its processes are gone.
        place.slurm.ask("scontrol", "update", "NodeName=gpu2", "State=DOWN", "Reason=test")
        place.kill(pair)
        until(lambda: place.slurm.about(pair)["JobState"] == "PENDING", "the job of the lost node to queue again")
        place.slurm.ask("scontrol", "update", "NodeName=gpu2", "State=RESUME", check=False)  # where it is not back yet
        place.queued_again(pair)
        said = place.finish()
    finally:
        place.slurm.ask("scontrol", "update", "NodeName=ALL", "State=RESUME", check=False)
    assert lost == "gpu[1-2]" and place.slurm.about(pair)["Restarts"] == "1"
    assert submitted(said).count("pretrain") == 3, "two, and one more for the killed one"
    assert continued(place, PAIR) and continued(place, SINGLE)
    again = [job for job, what in place.slurm.jobs("COMPLETED").items() if what == f"rule_pretrain_wildcards_{SINGLE}"]
    assert place.slurm.about(max(again, key=int))["NodeList"] != drained
    same(place, finished)


def test_a_time_limit_and_a_cancelled_job(place, finished):
    """The warning before the limit reaches the training through all that stands between; it saves and queues again."""
    limit = "hardware={pretrain: {tiny: {runtime: 2m}}}"
    place.start("--config", limit, LINKBERT_WARNING="30")
    single = place.job(SINGLE)
    (process,) = place.hold(single)
    pair = place.job(PAIR)
    place.slurm.ask("scancel", pair)
    before = place.saved(SINGLE)[-1].name

    def warned() -> bool:
        """The signal waits for the process, or SLURM has woken it and it has heeded it."""
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except FileNotFoundError:
            return True
        waiting = re.findall(r"(?:SigPnd|ShdPnd):\s+(\w+)", status)
        return any(int(mask, 16) >> (signal.SIGUSR1 - 1) & 1 for mask in waiting)

    until(warned, "the warning before the time limit", 180)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)
    place.queued_again(single)
    assert place.saved(SINGLE)[-1].name > before, "the warned training saved its very step"
    said = place.finish()
    assert place.slurm.about(single)["JobState"] == "COMPLETED", "the same job went on"
    assert submitted(said).count("pretrain") == 3, "two, and one more for the cancelled one"
    assert continued(place, PAIR) and continued(place, SINGLE)
    same(place, finished)


def test_a_full_disk_and_a_preemption(place, finished):
    """A full disk is said in a sentence and costs an attempt; a preempted job queues again."""
    (full,) = finished.checkpoints(PAIR)
    disk = place.results / "checkpoints" / full.name
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    try:
        place.start(LINKBERT_CPU_PARTITION="spare")
        single = place.job(SINGLE)
        place.hold(single)
        node = place.slurm.about(single)["NodeList"]
        rival = ["--parsable", "-p", "cpu", "-w", node, "--exclusive", "--mem=100", "-t", "1", "-o", "/dev/null"]
        place.slurm.ask("sbatch", *rival, "--wrap", "sleep 1")
        place.queued_again(single)
        sentence = "the checkpoint could not be written .*is the disk full"
        until(lambda: place.running() and re.search(sentence, place.log("pretrain", PAIR)), "a full disk to be told")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        said = place.finish()
    finally:
        place.stop()
        subprocess.run(["umount", str(disk)], check=True)
    assert place.slurm.about(single)["Restarts"] == "1"
    assert submitted(said).count("pretrain") in (3, 4), "two, and another attempt or two while the disk was full"
    assert continued(place, SINGLE)
    same(place, finished)


def test_the_workflow_itself_is_killed_and_started_again(place, finished):
    """What its jobs finish meanwhile is taken; what still runs is cancelled, and a new job goes on from there."""
    place.start()
    single = place.job(SINGLE)
    place.hold(single)
    place.process.kill()
    place.process.wait()
    until(lambda: (place.results / "models" / PAIR / "meta.json").exists(), "the other job to end well by itself")
    made = (place.results / "models" / PAIR / "meta.json").stat().st_mtime_ns
    until(lambda: list(place.slurm.jobs()) == [single], "the other job to leave")
    place.run("snakemake", "--unlock")
    place.start()
    said = place.finish()
    assert place.slurm.about(single)["JobState"] == "CANCELLED" and f"Cancelled job {single}" in said
    trained = [rule for rule in submitted(said) if rule in ("pretrain", "finetune")]
    assert trained == ["pretrain", "finetune", "finetune"] or trained == ["finetune", "pretrain", "finetune"]
    assert (place.results / "models" / PAIR / "meta.json").stat().st_mtime_ns == made
    assert continued(place, SINGLE)
    same(place, finished)
