"""The images' health check: exits with 0 if /readyz answers 200. Only a socket, for it runs every 10 s."""

import os
import socket

with socket.create_connection(("127.0.0.1", int(os.environ.get("AURICLE_PORT", "6007"))), 2) as connection:
    if os.environ.get("AURICLE_TLS_CERT"):
        import ssl

        context = ssl.create_default_context()
        context.check_hostname = False  # the certificate is for the server's public name
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    raise SystemExit(connection.recv(64).split(b" ")[1:2] != [b"200"])
