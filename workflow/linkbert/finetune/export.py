"""A tuned model as a folder that Hugging Face's class for its kind of task loads, to compute what it computes here."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from linkbert.errors import unknown
from linkbert.files import atomic_folder, write_meta
from linkbert.finetune.method import Method
from linkbert.finetune.network import Checkpoint, Network
from linkbert.model.folder import write_folder
from linkbert.model.weights import body_to_hf

SEQUENCE = "BertForSequenceClassification"
# Kind -> class, the name of its head, and what else `config.json` says.
CLASSES: dict[str, tuple[str, str, dict[str, str]]] = {
    "classification": (SEQUENCE, "classifier", {"problem_type": "single_label_classification"}),
    "multilabel": (SEQUENCE, "classifier", {"problem_type": "multi_label_classification"}),
    "regression": (SEQUENCE, "classifier", {"problem_type": "regression"}),
    "tagging": ("BertForTokenClassification", "classifier", {}),
    "span": ("BertForQuestionAnswering", "qa_outputs", {}),
    "choice": ("BertForMultipleChoice", "classifier", {}),
}


def check_kinds(kinds: Iterable[str]) -> None:
    """Refuse a kind that Hugging Face has no class for, before anything is trained."""
    for kind in kinds:
        if kind not in CLASSES:
            raise unknown("--keep", "kind with a class of Hugging Face's", kind, CLASSES)


def write_tuned(folder: Path, network: Network, method: Method, checkpoint: Checkpoint, **about: Any) -> None:
    """Write a trained network: config, weights, the tokenizer's files, and `meta.json` that says `about`.

    Spans and tags use no pooler, and leave that of the model they began with as it was; it is kept with them, for a
    later fine-tuning that begins here. One that was never trained is left out.
    """
    architecture, head, more = CLASSES[method.kind]
    parts = {"encoder": network.encoder.state_dict()}
    if method.pooled or not checkpoint.fresh_pooler:
        parts["pooler"] = checkpoint.pooler.state_dict()
    body = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
    tensors = body_to_hf(body, checkpoint.config.vocab_size)
    tensors |= {f"{head}.{name}": tensor.detach().float().cpu() for name, tensor in network.head.state_dict().items()}
    config = {"architectures": [architecture], **checkpoint.config.to_hf(), **_labels(method), **more}
    with atomic_folder(folder) as temporary:
        digest = write_folder(temporary, config, tensors, checkpoint.folder)
        write_meta(temporary, "finetune", **about, weights_sha256=digest)


def _labels(method: Method) -> Mapping[str, Any]:
    """The names of the outputs where they have any; a single number has Hugging Face's own."""
    names = method.labels or (["LABEL_0"] if method.kind == "regression" else [])
    if not names:
        return {}
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }
