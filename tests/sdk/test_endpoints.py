"""Where the SDK may be pointed: at the vendor's names through us, or straight at us; the name says which region."""

from __future__ import annotations

from typing import Any

import pytest
from baidubce.auth.bce_credentials import BceCredentials
from baidubce.bce_client_configuration import BceClientConfiguration
from baidubce.retry.retry_policy import NoRetryPolicy
from baidubce.services.vpc.vpc_client import VpcClient

from tests.sdk.cloud import Cloud, refused


def client(cloud: Cloud, endpoint: str, **more: Any) -> VpcClient:
    return VpcClient(
        BceClientConfiguration(
            credentials=BceCredentials("ak-acme", "sk-acme"), endpoint=endpoint.format(port=cloud.port),
            retry_policy=NoRetryPolicy(), **more,
        )
    )  # fmt: skip


def through(cloud: Cloud, endpoint: str) -> VpcClient:
    return client(cloud, endpoint, proxy_host="127.0.0.1", proxy_port=cloud.port)


@pytest.fixture
def vpcs(cloud: Cloud) -> dict[str, str]:
    """One VPC in each of two regions, told by its name."""
    return {
        region: cloud.tenant("acme", region).vpc.create_vpc(region, "10.0.0.0/16").vpc_id for region in ("bj", "gz")
    }


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("bcc.gz.baidubce.com", "gz"),
        ("bcc.bj.baidubce.com", "bj"),
        ("http://bcc.gz.baidubce.com", "gz"),
        ("BCC.GZ.baidubce.com", "gz"),
        ("bcc.gz.baidubce.com:8080", "gz"),
        ("bcm.gz.baidubce.com", "gz"),
        ("gz.localhost:{port}", "gz"),
        ("elsewhere.example", "bj"),
    ],
)
def test_the_name_that_is_asked_is_the_region(cloud: Cloud, vpcs: dict[str, str], endpoint: str, region: str) -> None:
    assert [vpc.vpc_id for vpc in through(cloud, endpoint).list_vpcs().vpcs] == [vpcs[region]]


@pytest.mark.parametrize("endpoint", ["127.0.0.1:{port}", "http://127.0.0.1:{port}", "localhost:{port}"])
def test_our_own_address_is_the_default_region(cloud: Cloud, vpcs: dict[str, str], endpoint: str) -> None:
    assert [vpc.vpc_id for vpc in client(cloud, endpoint).list_vpcs().vpcs] == [vpcs["bj"]]


@pytest.mark.parametrize("endpoint", ["bcc.mars.baidubce.com", "mars.localhost"])
def test_a_region_that_does_not_exist_is_a_bad_uri(cloud: Cloud, endpoint: str) -> None:
    with refused(400, "InvalidURI") as answer:
        through(cloud, endpoint).list_vpcs()
    assert "mars" in answer.message


def test_what_is_of_one_region_is_not_in_another(cloud: Cloud, vpcs: dict[str, str]) -> None:
    with refused(404, "NoSuchObject"):
        through(cloud, "bcc.bj.baidubce.com").get_vpc(vpcs["gz"])
    assert through(cloud, "bcc.gz.baidubce.com").get_vpc(vpcs["gz"]).vpc.name == "gz"
