"""The look of the report page: light and dark, narrow and wide, on screen and on paper."""

from __future__ import annotations

import re
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1b2430;--muted:#5a6573;--line:#d5dbe3;--panel:#f6f8fb;--good:#0b7a53;
--bad:#b3213a;--focus:#2563d9}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--ink:#e7ebf1;--muted:#a3adba;--line:#364151;--panel:#181e27;
--good:#4cc79a;--bad:#ff7d91;--focus:#6aa5ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
header,main,footer{max-width:75rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem}
p{margin:.25rem 0;max-width:70ch}
.muted,footer{color:var(--muted)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0 0;padding:0}
a{color:var(--focus)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static}
.account{background:var(--panel);border:1px solid var(--line);border-radius:.6rem;padding:.75rem 1rem;
font-variant-numeric:tabular-nums;max-width:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding:.25rem 0}
th,td{padding:.35rem .75rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
td.n,th.n{text-align:right}
th[scope=row]{font-weight:600}
.wrap{white-space:normal}
.scroll+.scroll{margin-top:1.25rem}
thead th{color:var(--muted);font-weight:600;border-bottom-width:2px}
.holds{color:var(--good);font-weight:600}.fails{color:var(--bad);font-weight:600}
figure{margin:0}
figure svg{max-width:100%;height:auto;display:block;border:1px solid var(--line);border-radius:.6rem}
footer{padding-top:1rem;padding-bottom:2rem;margin-top:2.5rem;border-top:1px solid var(--line);font-size:.875rem}
@media print{nav,.skip{display:none}h2{break-after:avoid}figure,tr{break-inside:avoid}}
""".strip()

_RULE: Final = re.compile(r"([^{}]+)\{")
_SVG_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def embedded(svg: str, name: str) -> str:
    """A picture as part of a page that has others: its style is its own, and so are its ids.

    Args:
        svg: as `topology_svg` and `bandwidth_chart` make it.
        name: a word for the ids, different for each picture of the page.
    """

    def scoped(found: re.Match[str]) -> str:
        selectors = found[1]
        if selectors.startswith("@"):
            return found[0]
        return ",".join(f"#{name} {one}" for one in selectors.split(",")) + "{"

    own = _SVG_STYLE.sub(lambda found: f"<style>{_RULE.sub(scoped, found[1])}</style>", svg, count=1)
    own = own.replace("netsim-title", f"{name}-title").replace("netsim-desc", f"{name}-desc")
    return own.replace("<svg ", f'<svg id="{name}" ', 1).strip()
