"""Receive webhooks of jobs: ``python webhook.py whsec_SECRET PORT``."""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = base64.b64decode(sys.argv[1].removeprefix("whsec_"))
seen = set()  # in a database, so that it survives a restart


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        event_id, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{event_id}.{timestamp}.".encode() + body
        digest = hmac.digest(SECRET, signed, hashlib.sha256)
        signature = "v1," + base64.b64encode(digest).decode()
        is_genuine = hmac.compare_digest(signature, self.headers["webhook-signature"])
        if not is_genuine or abs(time.time() - int(timestamp)) > 300:
            self.send_error(400)
            return
        if event_id not in seen:  # the same event may arrive twice
            seen.add(event_id)
            job = json.loads(body)["data"]
            print(job["job_id"], job["state"], job["text"], flush=True)
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver).serve_forever()
