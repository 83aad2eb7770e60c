"""Counters into samples, samples into series; a sample is a difference of counters."""
