"""The only HTTP of the project: one request, one total deadline, one bounded answer.

In reading order:

- `credentials`: who a request is from, kept beside it;
- `request`: a request as a value, and whether it may be sent as it is written;
- `addresses`: which addresses may be called;
- `lookups`: names → addresses, without waiting longer than one may;
- `attempt`: one attempt while it is under way: until when it may take, and how far it came;
- `sockets`: sockets whose every wait ends at the attempt's deadline;
- `dialling`: a host's name → a connected socket, at an address that may be called;
- `tls`: whom TLS trusts, and which certificate it shows;
- `pooling`: the one `requests` session of a process;
- `redirects`: whether and how a redirect is followed;
- `tokens`: OAuth 2.0 tokens, fetched once for all who want them;
- `signing`: a request's signature;
- `body`: bytes → JSON or text that can be kept;
- `masking`: what was private in a request, and comes back;
- `failures`: what an error of the libraries means;
- `unanswered`: why there is no answer, on its way to the caller;
- `caller`: all of it together.

Bodies and header values are never logged, and no message shows more of a URL than its scheme, host and port: paths and
queries may hold secrets.
"""

from orchestrator.call.addresses import AllowedHosts
from orchestrator.call.caller import Caller
from orchestrator.call.credentials import CertificateFiles, Credentials, Grant, Signing
from orchestrator.call.request import Request

__all__ = ["AllowedHosts", "Caller", "CertificateFiles", "Credentials", "Grant", "Request", "Signing"]
