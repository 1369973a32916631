"""What can go wrong in search, each with a sentence for the person in Chinese and in English."""


class SearchError(Exception):
    """Base of every error this package raises on purpose.

    `reason` is for programs; `zh` and `en` may be shown to a user as they are; `str(error)` is the detail
    for the log.
    """

    reason = "SEARCH_UNAVAILABLE"
    zh = "搜索暂时不可用，请稍后再试。"
    en = "Search is not available right now. Please try again later."

    def __init__(self, detail: str = "", *, zh: str | None = None, en: str | None = None) -> None:
        super().__init__(detail or en or self.en)
        self.zh = zh or self.zh
        self.en = en or self.en


class InvalidQuery(SearchError):
    """The question itself is at fault; asking it again gives the same answer."""

    reason = "SEARCH_INVALID_QUERY"
    zh = "无法按这样的条件查找，请修改后再试。"
    en = "This search cannot be carried out. Please change it and try again."


class InvalidEntry(SearchError):
    """A record handed to the writer does not fit the schema; nothing of that call was written."""

    reason = "SEARCH_INVALID_ENTRY"
    zh = "记录内容不符合索引要求，未能收录。"
    en = "The record does not fit the search index and was not added."


class RebuildNeeded(SearchError):
    """There is no index yet, or it was built for another schema: call `Index.rebuild`."""

    reason = "SEARCH_REBUILD_NEEDED"
    zh = "搜索索引需要重建，请联系系统管理员。"
    en = "The search index has to be rebuilt. Please tell the system administrator."


class IndexBroken(SearchError):
    """The index folder is damaged or unreadable: call `Index.rebuild`."""

    reason = "SEARCH_INDEX_BROKEN"
    zh = "搜索索引已损坏，请联系系统管理员重建。"
    en = "The search index is damaged. Please ask the system administrator to rebuild it."


class WriterBusy(SearchError):
    """Another process (or another `Writer` of this one) is writing to the same index."""

    reason = "SEARCH_WRITER_BUSY"
    zh = "搜索索引正由另一进程写入。"
    en = "Another process is writing to the search index."
