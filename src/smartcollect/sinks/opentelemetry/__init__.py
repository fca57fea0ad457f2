"""OpenTelemetry metrics and spans from calls."""

try:
    from .instrumentor import SmartcollectInstrumentor
    from .metrics import Metrics
    from .spans import Spans
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error}; install smartcollect[opentelemetry]", name=error.name
    ) from None

__all__ = ["Metrics", "SmartcollectInstrumentor", "Spans"]
