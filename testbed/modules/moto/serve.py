"""AWS as moto emulates it, behind TLS: serve.py FOLDER CERTIFICATE KEY

It writes its port to FOLDER/port, and serves until it is killed.
"""

import pathlib
import sys

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

folder, certificate, key = map(pathlib.Path, sys.argv[1:])
server = make_server(
    "127.0.0.1",
    0,
    DomainDispatcherApplication(create_backend_app),
    threaded=True,
    ssl_context=(str(certificate), str(key)),
)
partial = folder / "port.partial"
partial.write_text(str(server.server_port))
partial.rename(folder / "port")
server.serve_forever()
