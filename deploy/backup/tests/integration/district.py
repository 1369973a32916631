"""A district at work, and what must fit together in its records."""

from __future__ import annotations

import re
import threading
import time

import bson
import pymongo
from tongban.documents.v1 import documents_pb2 as pb
from tongban.documents.v1 import documents_pb2_grpc as stubs

from deploy.backup.streams import BUCKET, Broker
from deploy.demo.acting import People
from portal.directory.users import read_people
from portal.keycloak import portal_admin
from services.documents.wire import obligation_id
from tests.checks.platform import channel, settings_of

DRAFTER, REVIEWER, LEADER, REGISTRAR = "qfb.mishu1", "qfb.mishu", "qfb.zhuren", "qfb.wenshu"
_PERSON = re.compile(r"(?:p:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Office:
    """One office of the platform, whose people write documents; `done` holds what was acknowledged: document → revision."""

    def __init__(self, stack):
        self.settings = settings_of(stack)
        self.people = People(self.settings)
        self.ids = {person.username: key for key, person in read_people(portal_admin(self.settings)).items()}
        self.documents = stubs.DocumentServiceStub(channel(stack, "documents"))
        self.done: dict[str, str] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.problems: list[Exception] = []

    def write(self, steps):
        """One document that goes so many steps on its way; returns it."""
        elements = pb.Elements(
            genre="通知", title="关于备份期间照常办文的通知", body="照常办理。", addressees=["fgw"]
        )
        made = self._call(self.documents.CreateDocument, pb.CreateDocumentRequest(elements=elements), DRAFTER)
        key = made.document
        submit = pb.SubmitDocumentRequest(
            document=key, reviewers=[self.ids[REVIEWER]], leader=self.ids[LEADER]
        )
        course = (
            (self.documents.SubmitDocument, submit, DRAFTER),
            (self.documents.ReviewDocument, pb.StepRequest(document=key, opinion="同意"), REVIEWER),
            (self.documents.SignOffDocument, pb.StepRequest(document=key, opinion="同意"), LEADER),
            (self.documents.DispatchDocument, pb.DispatchDocumentRequest(document=key), REGISTRAR),
        )
        for method, request, who in course[:steps]:
            made = self._call(method, request, who)
        return made

    def review(self, key):
        return self._call(
            self.documents.ReviewDocument, pb.StepRequest(document=key, opinion="同意"), REVIEWER
        )

    def sign_off(self, key):
        return self._call(
            self.documents.SignOffDocument, pb.StepRequest(document=key, opinion="同意"), LEADER
        )

    def dispatch(self, key):
        return self._call(
            self.documents.DispatchDocument, pb.DispatchDocumentRequest(document=key), REGISTRAR
        )

    def read(self, key):
        return self._call(self.documents.GetDocument, pb.GetDocumentRequest(document=key), DRAFTER)

    def _call(self, method, request, who):
        answer = self.people.call(method, request, who)
        self.done[answer.document] = answer.etag
        return answer

    def start_writing(self, writers):
        # One after the other: Keycloak takes many log-ins of one person at once for an attack.
        for who in (DRAFTER, REVIEWER, LEADER, REGISTRAR):
            self.people.token(who)

        def work(number):
            turn = number
            while not self._stop.is_set():
                try:
                    self.write(turn % 5)
                except Exception as problem:  # noqa: BLE001 - shown at the end
                    self.problems.append(problem)
                turn += 1

        self._threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
        for thread in self._threads:
            thread.start()

    def stop_writing(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def strings(value):
    """Every text in a record."""
    if isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


def digests(record):
    """The digests of the files to which a document or delivery refers."""
    files = [*record.get("files", []), *record.get("answer_files", []), record.get("printed")]
    return {file["digest"] for file in files if file}


class Whole:
    """All of a platform's records, realm and directory, to be checked against each other."""

    def __init__(self, stack):
        self.client = pymongo.MongoClient(stack.env["TONGBAN_MONGO_URI"])
        self.people = set(read_people(portal_admin(settings_of(stack))))
        with Broker(stack.env["TONGBAN_NATS_URL"]) as broker:
            keys = [pair["key"] for pair in map(bson.decode, broker.pairs(f"{BUCKET}directory"))]
        self.directory = {key.partition(".")[2] for key in keys}

    def all_of(self, database, collection):
        return {record["_id"]: record for record in self.client[f"tongban_{database}"][collection].find()}

    def dangling(self):
        """References that lead nowhere, each as a sentence."""
        documents, deliveries = self.all_of("documents", "documents"), self.all_of("documents", "deliveries")
        obligations, numbers = self.all_of("tasks", "obligations"), self.all_of("documents", "numbers")
        files = self.all_of("documents", "files")
        pieces = {record["_id"] for record in self.client.tongban_documents.file_pieces.find({}, {"_id": 1})}
        matters = documents | deliveries
        found = [
            f"delivery {key}: no document"
            for key, one in deliveries.items()
            if one["document"] not in documents
        ]
        found += [
            f"{key}: no unit {one['unit']}"
            for key, one in deliveries.items()
            if one["unit"] not in self.directory
        ]
        found += [
            f"number {key}: no document" for key, one in numbers.items() if one["holder"] not in documents
        ]
        for key, one in matters.items():
            found += [f"{key}: no file {digest}" for digest in digests(one) if digest not in files]
        for digest, one in files.items():
            wanted = {f"{one['upload']}|{number}" for number in range(one["pieces"])}
            found += [f"file {digest}: no piece {piece}" for piece in wanted - pieces]
        items = {obligation_id(key, item["id"]) for key, one in matters.items() for item in one["items"]}
        owed = {key for key, one in obligations.items() if key.startswith("documents/") or key in items}
        found += [f"obligation {key}: no work item" for key in owed - items]
        for database in ("documents", "tasks", "meetings", "knowledge"):
            for collection in self.client[f"tongban_{database}"].list_collection_names():
                for key, one in (
                    self.all_of(database, collection).items() if collection != "file_pieces" else ()
                ):
                    named = {match[1] for text in strings(one) if (match := _PERSON.fullmatch(text))}
                    found += [
                        f"{database}.{collection} {key}: nobody {person}" for person in named - self.people
                    ]
                    found += [
                        f"{database}.{collection} {key}: unlisted {person}"
                        for person in named - self.directory
                    ]
        return found

    def untold(self):
        """Work items of documents which the tasks do not know, or whose end they do not know: events that were lost."""
        obligations = self.all_of("tasks", "obligations")
        found = []
        for collection in ("documents", "deliveries"):
            for key, one in self.all_of("documents", collection).items():
                for item in one["items"]:
                    told = obligations.get(obligation_id(key, item["id"]))
                    if told is None or bool(told["closing"]) != bool(item["outcome"]):
                        found.append(f"{key} {item['id']} {item['kind']}")
        for key, one in self.all_of("documents", "documents").items():
            if one["dispatched_at"]:
                there = self.all_of("documents", "deliveries")
                found += [f"{key}: not at {unit}" for unit in one["units"] if f"{key}|{unit}" not in there]
        return found

    def settled(self, seconds):
        """What is still untold after so many seconds at most."""
        end = time.monotonic() + seconds
        while (found := self.untold()) and time.monotonic() < end:
            time.sleep(0.5)
        return found
