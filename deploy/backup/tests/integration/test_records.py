"""Records go out and come back byte for byte, with their indexes."""

import random
from datetime import UTC, datetime

import bson
import pytest

from deploy.backup import records

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_records_and_indexes_come_back_byte_for_byte(tmp_path):
    dice = random.Random(1)
    values = [
        1, 2**40, -1, 0.5, "同办", True, None, datetime(2026, 1, 1, tzinfo=UTC), b"\0\xff", [], {}, [[1, {"a": []}]],
        {"b": 1, "a": 2}, "",
    ]  # fmt: skip
    with records.served(tmp_path / "a") as source, records.served(tmp_path / "b") as target:
        kept = source.tongban_documents.documents
        kept.create_index([("_id", 1), ("revision", 1)], unique=True)
        for number in range(50):
            one = {f"f{place}": dice.choice(values) for place in range(5)}
            kept.insert_one({"_id": f"大府办发〔2026〕{number}号", "revision": number, **one})
        kept.insert_many(
            {"_id": f"n{number}", "revision": number, "v": dice.choice(values)} for number in range(2500)
        )
        source.tongban_documents.file_pieces.insert_many(
            {"_id": f"u|{i}", "data": dice.randbytes(1 << 20)} for i in range(9)
        )
        source.tongban_gateway.sessions.insert_one({"_id": "s"})
        source.tongban_gateway.used.insert_one({"_id": "u"})
        source.other.x.insert_one({"_id": "x"})
        names = records.sections(source)
        assert names == [
            "records/tongban_documents.documents", "records/tongban_documents.file_pieces", "records/tongban_gateway.used",
        ]  # fmt: skip

        inserting = records.Inserting(target)
        for name in names:
            collection = records.collection(source, name)
            records.make_indexes(records.collection(target, name), records.indexes(collection))
            for record in records.records(collection):
                inserting.add(name, record)
        inserting.flush()

        for name in names:
            there, here = records.collection(target, name), records.collection(source, name)
            assert records.tally(there).facts() == records.tally(here).facts()
            assert records.indexes(there) == records.indexes(here)
        assert records.tally(records.collection(target, names[0])).count == 2550
        ids = [bson.decode(one)["_id"] for one in records.records(records.collection(target, names[0]))]
        assert len(set(ids)) == 2550
