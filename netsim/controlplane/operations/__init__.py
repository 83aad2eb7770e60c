"""The rules of the product: one module per family of edits.

Each function checks one edit and then does it: everything that can be refused is refused before the
first change. `view` is what the asking account sees, `tables` what is.
"""
