import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from skuscan_server.db.lock import Lease, builder_lock
from skuscan_server.db.session import Database
from skuscan_server.errors import BusyError
from skuscan_server.services import Services

LEASE = 30.0  # s


def try_to_build(url: str) -> bool:
    """In a process of its own: whether the lock was free."""
    try:
        Lease(Database(url), "default", LEASE).take()
    except BusyError:
        return False
    return True


@pytest.mark.guarantee("G19")
def test_of_many_threads_one_builds(services: Services) -> None:
    gate = threading.Barrier(8)
    inside, most = [], []

    def build(number: int) -> bool:
        gate.wait()
        try:
            with builder_lock(services.database, "default", LEASE):
                inside.append(number)
                most.append(len(inside))
                gate.wait()  # the others have failed when this one goes on
                inside.remove(number)
                return True
        except BusyError:
            gate.wait()
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(build, range(8))) == 1
    assert most == [1]


@pytest.mark.guarantee("G19")
def test_of_many_processes_one_builds(services: Services) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert sum(processes.map(try_to_build, [services.config.url] * 4)) == 1


@pytest.mark.guarantee("G19")
def test_a_builder_that_died_is_taken_over_when_its_lease_ran_out(services: Services) -> None:
    dead = Lease(services.database, "default", 0.01)
    dead.take()
    with builder_lock(services.database, "default", LEASE, wait=LEASE):
        with pytest.raises(BusyError, match="taken over"):
            dead.check()
        dead.release()  # frees nothing that is not its own
        with pytest.raises(BusyError):
            Lease(services.database, "default", LEASE).take()


def test_a_long_build_keeps_its_lock(services: Services) -> None:
    lease = 0.4
    with builder_lock(services.database, "default", lease):
        until = time.monotonic() + 2 * lease
        while time.monotonic() < until:
            with pytest.raises(BusyError):
                Lease(services.database, "default", lease).take()


def test_assortments_are_built_side_by_side(services: Services) -> None:
    with builder_lock(services.database, "one", LEASE), builder_lock(services.database, "two", LEASE):
        pass


def test_a_failed_build_frees_its_lock(services: Services) -> None:
    with pytest.raises(ZeroDivisionError), builder_lock(services.database, "default", LEASE):
        1 / 0  # noqa: B018
    Lease(services.database, "default", LEASE).take()
