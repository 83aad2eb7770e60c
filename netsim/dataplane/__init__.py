"""Integers and arrays only: moves packets, has never heard of a VPC."""
