"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "SearchItems": ("资料", "检索", "只检索本人可以查看的"),
    "GetItem": ("资料", "查看资料", "资料的阅读范围，且密级不高于本人"),
    "ReadItemFile": ("资料", "下载文件", "可以查看该资料的人"),
    "ListCategories": ("资料", "查看分类", "只统计本人可以查看的"),
    "Suggest": ("资料", "搜索提示", "只提示本人可以查看的"),
    "ListSimilarItems": ("资料", "查看相似资料", "可以查看该资料的人"),
    "UploadItem": (
        "资料",
        "上传资料、更新版本",
        "以本人任职的单位保管；更新限上传人和保管单位的文书、负责人",
    ),
    "UpdateItem": ("资料", "修改资料信息", "上传人，保管单位的文书、负责人"),
    "WithdrawItem": ("资料", "撤下资料", "上传人，保管单位的文书、负责人"),
    "RestoreItem": ("资料", "恢复资料", "上传人，保管单位的文书、负责人"),
    "ImportItem": ("资料", "批量导入", "由运维人员在服务器上执行"),
}
