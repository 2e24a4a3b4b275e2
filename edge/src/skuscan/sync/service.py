"""What systemd is told: ready, alive, and a line for `systemctl status`. See sd_notify(3) and systemd.service(5)."""

import logging
import socket

NOTIFY_SOCKET = "NOTIFY_SOCKET"  # the variable in which systemd names its socket

log = logging.getLogger(__name__)


class ServiceManager:
    """Sends datagrams to systemd, or nothing where there is none.

    Args:
        address: A socket's path, or an abstract name behind @; empty: nobody is told.
    """

    def __init__(self, address: str = "") -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        """The service does its work now."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Its loop goes round. When this is not said for WatchdogSec, systemd starts the service again."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """What it does, for people."""
        self._tell(f"STATUS={text}")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as error:  # systemd will miss it, and act
            log.debug("the service manager was not told %s: %s", message, error)
