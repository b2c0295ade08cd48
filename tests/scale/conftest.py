"""A real Ray cluster of two nodes on this machine."""

import os

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
NODE = {"num_cpus": 1, "object_store_memory": 200_000_000}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one processor each, and this process connected to them; who takes a node away adds another one."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    cluster.add_node(**NODE)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
