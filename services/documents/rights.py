"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "CreateDocument": ("公文", "起草", "以本人任职的部门或单位起草"),
    "UpdateDocument": ("公文", "修改草稿", "起草人，限草稿"),
    "GetDocument": ("公文", "查看发文", "经办过的人、发文单位文书和领导，且密级不高于本人"),
    "ListDocuments": ("公文", "查看发文登记簿", "只列出本人可以查看的"),
    "ReadBody": ("公文", "读入正文文件", ""),
    "AttachFile": ("公文", "添加附件", "起草人，限草稿"),
    "RemoveFile": ("公文", "移除附件", "起草人，限草稿"),
    "ReadFile": ("公文", "下载文件", "可以查看该发文或收文的人；知识服务为归档读取"),
    "SubmitDocument": ("公文", "送审", "起草人，限草稿"),
    "ReviewDocument": ("公文", "审核同意", "当前审核人"),
    "ReturnDocument": ("公文", "退回起草人", "当前审核人或签发人"),
    "SignOffDocument": ("公文", "签发", "送签时指定的签发人"),
    "DispatchDocument": ("公文", "核发", "发文单位文书"),
    "ConcludeDocument": ("公文", "办结发文", "发文单位文书"),
    "WithdrawDocument": ("公文", "撤销草稿", "起草人，限草稿"),
    "FindByCode": ("公文", "凭版记条码查找", "可以查看该发文或收文的人"),
    "GetDelivery": ("收文", "查看收文", "收文单位文书、领导和经办人，且密级不高于本人"),
    "ListDeliveries": ("收文", "查看收文登记簿", "只列出本人可以查看的"),
    "SignFor": ("收文", "签收", "收文单位文书"),
    "Register": ("收文", "登记", "收文单位文书"),
    "ReturnToSender": ("收文", "退回来文单位", "收文单位文书，限分送之前"),
    "PassOn": ("收文", "拟办、分送", "收文单位文书"),
    "Handle": ("收文", "办理完毕", "当前承办人"),
    "Forward": ("收文", "转办", "当前承办人"),
    "SendBack": ("收文", "退回文书", "当前承办人"),
    "MarkRead": ("收文", "标记已阅", "被分送阅知的人"),
    "Answer": ("收文", "答复来文单位", "收文单位文书或主办人"),
    "ConcludeDelivery": ("收文", "办结收文", "收文单位文书"),
    "UrgeDelivery": ("收文", "催办", "发文单位文书"),
    "Resend": ("收文", "退回后重发", "发文单位文书"),
    "AcceptReturn": ("收文", "接受退回", "发文单位文书"),
}
