"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "SearchEntries": ("审计记录", "检索", ""),
    "GetEntry": ("审计记录", "查看一条记录", ""),
    "GetChain": ("审计记录", "查看校验链", ""),
    "StartVerification": ("审计记录", "发起校验", ""),
    "ReadEntries": ("审计记录", "导出", ""),
}
