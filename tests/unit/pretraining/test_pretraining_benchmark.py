"""The benchmark of pretraining gives what it measured, whatever becomes of a variant or of its time."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--size", "demo", "--device", "cpu", "--words", "300", "--length", "32", "--batch-size", "4"]
SMALL += ["--steps", "1", "--rounds", "1", "--micro-batch-tokens", "64"]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pretraining"])
    spec = spec_from_file_location("benchmark_of_pretraining", ROOT / "benchmarks" / "pretraining.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.signal, "signal", lambda *arguments: None)
    yield module
    del sys.modules[spec.name]


def test_a_variant_that_fails_costs_no_other(benchmark, monkeypatch, tmp_path, capsys):
    real = benchmark.Ours.run

    def run(self, *arguments):
        if not self.techniques.chunked_loss:
            raise RuntimeError("the card fell out\nand more")
        return real(self, *arguments)

    monkeypatch.setattr(benchmark.Ours, "run", run)
    assert benchmark.main([*SMALL, "--no-hugging-face", "--output", str(tmp_path / "out.json")]) is None
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["failed"] == {"without chunked_loss": "RuntimeError: the card fell out"}
    assert {"ours", "without packed", "without prefetch"} < set(report["variants"])
    assert report["variants"]["ours"]["ratio"] == 1
    assert "without chunked_loss: not measured (RuntimeError: the card fell out)" in capsys.readouterr().out


def test_what_was_measured_is_printed_when_it_is_ended(benchmark, monkeypatch, capsys):
    real = benchmark.Ours.run

    def run(self, *arguments):
        if not self.techniques.packed:
            raise SystemExit(143)
        return real(self, *arguments)

    monkeypatch.setattr(benchmark.Ours, "run", run)
    with pytest.raises(SystemExit):
        benchmark.main([*SMALL, "--no-hugging-face"])
    assert "| ours |" in capsys.readouterr().out


def test_nothing_is_begun_without_time(benchmark, capsys):
    assert benchmark.main([*SMALL, "--minutes", "1e-9"]) == 1
    out = capsys.readouterr().out
    assert "ours: not measured (no time was left)" in out
    assert "| ours |" not in out


@pytest.mark.parametrize("there", [True, False])
def test_the_reference_runs_with_and_without_its_library(benchmark, monkeypatch, capsys, there):
    monkeypatch.setattr(benchmark, "has_accelerate", lambda: there)
    assert benchmark.main([*SMALL, "--no-ablate"]) is None
    name = "Hugging Face Trainer" if there else "Hugging Face model in a plain loop"
    assert f"| {name} |" in capsys.readouterr().out
