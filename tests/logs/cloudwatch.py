"""CloudWatch Logs of moto behind TLS, which Fluent Bit insists on.

serve FOLDER              writes ca.pem and port there, and serves until it is killed
create FOLDER REGION NAME creates a log group
events FOLDER             prints all events: {"REGION GROUP STREAM": [[TIME, MESSAGE], ...]}
"""

import datetime
import ipaddress
import json
import pathlib
import sys

REGIONS = ["eu-west-1", "eu-central-1", "us-east-1"]


def serve(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        ssl_context=(str(folder / "ca.pem"), str(folder / "key.pem")),
    )
    partial = folder / "port.partial"
    partial.write_text(str(server.server_port))
    partial.rename(folder / "port")
    server.serve_forever()


def client(folder, region):
    import boto3

    return boto3.client(
        "logs",
        endpoint_url="https://localhost:" + (folder / "port").read_text(),
        verify=str(folder / "ca.pem"),
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def pages(call, **arguments):
    token = None
    while True:
        page = call(startFromHead=True, **arguments, **({"nextToken": token} if token else {}))
        yield from page["events"]
        if page["nextForwardToken"] == token:
            return
        token = page["nextForwardToken"]


def events(folder):
    found = {}
    for region in REGIONS:
        logs = client(folder, region)
        for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
            streams = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            for stream in streams.search("logStreams[].logStreamName"):
                found[f"{region} {group} {stream}"] = [
                    [event["timestamp"], event["message"]]
                    for event in pages(logs.get_log_events, logGroupName=group, logStreamName=stream)
                ]
    print(json.dumps(found))


if __name__ == "__main__":
    command, folder, *arguments = sys.argv[1:]
    folder = pathlib.Path(folder)
    if command == "serve":
        serve(folder)
    elif command == "create":
        client(folder, arguments[0]).create_log_group(logGroupName=arguments[1])
    else:
        events(folder)
