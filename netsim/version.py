"""The version, in a place that everything below the package's front door may import."""

__version__ = "0.1.0"
