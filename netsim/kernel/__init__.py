"""The same topology on the real Linux kernel: namespaces, veth pairs, policy routing, token buckets.

    plan(inventory, name)     what would be built, as data; pure
    deploy(plan)              builds it; destroy(name) and cleanup() take it away again

Everything lives in network namespaces that `deploy` makes. In the host's own namespace nothing is
added, changed or listened on. Docs: docs/kernel.md.
"""
