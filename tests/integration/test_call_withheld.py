"""A request that may not be sent any more is not sent, however far its connection is."""

from orchestrator.call import Caller, Request
from orchestrator.outcome import Answer, NoAnswer
from tests.integration.raw_service import answering, http, serving


def test_what_may_not_be_sent_any_more_never_reaches_the_service() -> None:
    """Over a new connection, and over one that is open; and the next request is none the worse for it."""
    caller = Caller(allow_hosts=["127.0.0.1"])
    with serving(answering(http("{}"))) as service:
        request = Request("POST", f"{service.url}/charge", {}, b"{}", 5.0)
        for _ in range(2):
            withheld = caller.call(request, lambda: False)
            assert isinstance(withheld, NoAnswer)
            assert (withheld.kind, withheld.sent) == ("connect", False)
            assert isinstance(caller.call(request, lambda: True), Answer)
        assert len(service.requests) == 2
    caller.close()
