"""The methods of fine-tuning by the kind of task they are for."""

from linkbert.finetune.method import Method
from linkbert.finetune.sequences import Choice, Classification, MultiLabel, Regression
from linkbert.finetune.spans import Span
from linkbert.finetune.tagging import Tagging

METHODS: dict[str, type[Method]] = {
    method.kind: method for method in (Span, Classification, MultiLabel, Regression, Tagging, Choice)
}
