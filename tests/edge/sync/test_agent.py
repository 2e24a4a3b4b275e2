"""A whole sync, against a real repository, a real server and a real store."""

from skuscan.sync import sync_once

SKUS = tuple(f"sku-{number:03}" for number in range(20))


def test_a_new_device_reaches_what_was_published(site, server, store, options, pass_probes):
    site.publish_base(*SKUS, displays=True)
    result = sync_once(store, options, pass_probes)
    assert (result.state, result.generation) == ("activated", 1)
    assert {product.sku for product in store.open_generation().products()} == set(SKUS)
    assert result.bytes_metadata > 0
    assert result.bytes_records > 20 * 4_000
    assert result.bytes_display == sum(len(f"picture of {sku}") for sku in SKUS)
