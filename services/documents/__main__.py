"""The documents service: `python -m services.documents serve|work|rebuild-index`."""

from chassis.process import Service, main
from services.documents import events, rpc
from services.documents.registry import registry
from services.documents.repository import mend, repositories

SERVICE = Service(
    name="documents",
    who=rpc.WHO,
    add=rpc.add,
    repositories=repositories,
    consumers=events.consumers,
    registry=registry,
    mend=mend,
    security=rpc.SECURITY,
)

if __name__ == "__main__":
    main(SERVICE)
