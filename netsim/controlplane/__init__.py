"""Tenants' resources and the rules for changing them."""
