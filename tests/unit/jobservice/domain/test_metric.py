from __future__ import annotations

import pytest

from jobservice.domain import metric
from jobservice.domain.metric import Kind, Metric


def test_a_name_belongs_to_one_metric() -> None:
    names = [each.name for each in metric.METRICS]
    assert sorted(set(names)) == sorted(names)


def test_every_metric_of_the_module_is_told() -> None:
    made = [value for value in vars(metric).values() if isinstance(value, Metric)]
    assert made == list(metric.METRICS)


@pytest.mark.parametrize("each", metric.METRICS, ids=lambda each: each.name)
def test_a_metric_is_named_as_prometheus_wants_it(each: Metric) -> None:
    assert each.name.startswith("transship_")
    assert each.name.endswith("_total") is (each.kind is Kind.COUNTER)
    assert each.kind is not Kind.HISTOGRAM or each.name.endswith("_seconds")
    assert each.help.endswith(".")
