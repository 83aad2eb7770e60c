"""The same topology on the real Linux kernel: namespaces, veth pairs, policy routing, token buckets.

    planner.plan(inventory, name)    what would be built, as data (plan.py); pure
    deploy.deploy(plan)              builds it; destroy(name) and cleanup() take it away again
    namespace.inside(name)           this thread, and what it starts, on a node of it
    route_check                      random route tables: the kernel's lookups against the Fib's

Everything lives in network namespaces that `deploy` makes. In the host's own namespace nothing is
added, changed or listened on. Docs: docs/kernel.md.
"""
