"""The same endpoint as a tutorial would build it: a synchronous DRF view, the ORM, httpx. A yardstick, no product."""
