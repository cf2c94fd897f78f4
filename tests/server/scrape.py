"""Reads the metrics of a running server, as Prometheus does."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Metrics", "scrape"]


class Metrics:
    """What one scrape said."""

    def __init__(self, text: str) -> None:
        self.families = {it.name: it for it in text_string_to_metric_families(text)}
        self._samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """Return a value, 0 for one that is not there."""
        return self._samples.get((name, *sorted(labels.items())), 0.0)


async def scrape(url: str, **headers: str) -> Metrics:
    """Ask for all of them."""
    async with httpx2.AsyncClient(base_url=url) as client:
        response = await client.get("/metrics", headers=headers)
    assert response.status_code == 200, response.text
    return Metrics(response.text)
