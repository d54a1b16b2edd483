"""The routes as `/openapi.json` describes them, asked with what a machine makes up."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from made_up_models import all_tasks
from maskwright.serving import ServerLimits, create_app

APP = create_app(all_tasks(), ServerLimits(pixels=10**6), hosts=None, on_record=lambda _: None)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance)
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def tried(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=SUPPRESSED,
    )


@SCHEMA.parametrize()
@tried(3)
def test_no_request_is_a_mistake_of_the_server(case):
    case.call_and_validate(checks=CHECKS)


@pytest.mark.slow
@SCHEMA.parametrize()
@tried(300)
def test_no_request_of_many_is_a_mistake_of_the_server(case):
    case.call_and_validate(checks=CHECKS)


def test_every_route_of_programs_is_described():
    paths = set(APP.openapi()["paths"])
    assert {"/predict", "/regions", "/cases", "/health", "/metrics", "/v2"} <= paths
    assert "/v2/models/{model}/infer" in paths
