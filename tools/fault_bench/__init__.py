"""What makes a device's store, links and server fail: shared by the tests and by the fault bench."""
