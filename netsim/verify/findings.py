"""All that is wrong with a network, worst first: what `lint` says."""

from __future__ import annotations

from netsim.verify.connection_findings import connection_findings
from netsim.verify.finding import CODES, SEVERITIES, Finding
from netsim.verify.network import Network
from netsim.verify.path_findings import path_findings
from netsim.verify.rule_findings import rule_findings


def findings(network: Network) -> list[Finding]:
    """Every finding, by severity, then in the order of `CODES`, then of creation."""
    found = [*rule_findings(network), *connection_findings(network), *path_findings(network)]
    order = {code: k for k, code in enumerate(CODES)}
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), order[finding.code]))
