"""Proofs about a network, from its Fib alone: nothing is sent.

`reach.py` answers for one pair, hop by hop, with the fix (`fix.py`; `change.py` has single changes);
`reachability.py` for all pairs and all headers at once; `findings.py` looks for what is wrong; `diff.py`
and `whatif.py` compare two states; `bottleneck.py` says what flows could get.
"""
