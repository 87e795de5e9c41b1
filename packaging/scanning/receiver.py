#!/usr/bin/env python3
"""Scans the images that Baleen tells of, and posts a verdict about each. Python 3.9 or newer.

    TOKEN=… SCAN='trivy image --quiet --severity CRITICAL --exit-code 10' python3 receiver.py

Environment:
    TOKEN    what Baleen has to send as "Authorization: Bearer …" (required)
    SCAN     the scanner's command; the image is appended
    REFUSE   the exit status that means "not good" (10); 0 means good, all else "try again later"
    BALEEN   Baleen's operations port (http://127.0.0.1:5001)
    LISTEN   where to listen for events (127.0.0.1:8099)
    EXPIRES  for how long a good verdict counts before the image is scanned again (7d)
    JOBS     images that are scanned at the same time (2)
"""

import hmac
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = os.environ["TOKEN"]
SCAN = shlex.split(os.environ.get("SCAN", "trivy image --quiet --severity CRITICAL --exit-code 10"))
REFUSE = int(os.environ.get("REFUSE", "10"))
BALEEN = os.environ.get("BALEEN", "http://127.0.0.1:5001").rstrip("/")
LISTEN = os.environ.get("LISTEN", "127.0.0.1:8099")
EXPIRES = os.environ.get("EXPIRES", "7d")
JOBS = int(os.environ.get("JOBS", "2"))

LARGEST_BODY = 16 * 1024 * 1024
LARGEST_JSON = 4 * 1024 * 1024
SCAN_TIMEOUT = 15 * 60

# What clients take for the configuration of something that can be run; Docker takes the vague ones, too.
IMAGE_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
    "",
}

waiting = queue.Queue()
known = set()  # digests that wait or are being scanned
lock = threading.Lock()


def log(text):
    print(text, file=sys.stderr, flush=True)


def call(method, path, body=None):
    """Asks Baleen's operations API, and gives its answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(BALEEN + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def is_judged(digest):
    """Whether somebody has judged this very image, not only an index that names it."""
    query = urllib.parse.urlencode({"digest": digest})
    said = call("GET", "/api/verdicts?" + query)
    return said["verdict"] != "none" and "through" not in said


def is_json(repository, part):
    """Whether a blob is JSON from its first byte to its last, and so no layer in disguise."""
    if part["size"] > LARGEST_JSON:
        return False
    path = "/v2/%s/blobs/%s" % (urllib.parse.quote(repository), part["digest"])
    try:
        with urllib.request.urlopen(BALEEN + path, timeout=60) as answer:
            json.loads(answer.read(LARGEST_JSON + 1).decode("utf-8"))
        return True
    except (OSError, ValueError):
        return False


def is_runnable(target):
    """Whether there is an image to be scanned: signatures and SBOMs are manifests, too.

    What the parts are called is the word of whoever pushed them, and some clients unpack layers
    under any name. They do need an image's configuration. With one, only what is JSON all through is
    taken for a signature (cosign's are like that).
    """
    parts = target.get("references") or []
    types = [each["mediaType"].lower() for each in parts]
    # What an index names is whatever it names in turn.
    if any("index" in each or "manifest" in each for each in types):
        return True
    if any("layer" in each or "rootfs" in each for each in types):
        return True
    if not IMAGE_CONFIGS.intersection(types):
        return False
    return not all(is_json(target["repository"], each) for each in parts)


def judge(target):
    digest = target["digest"]
    if not is_runnable(target):
        return {"verdict": "allow", "reason": "nothing that could be run"}
    # Through the operations port: there nothing is held back.
    host = urllib.parse.urlsplit(BALEEN).netloc
    image = "%s/%s@%s" % (host, target["repository"], digest)
    scan = subprocess.run(
        SCAN + [image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SCAN_TIMEOUT,
        check=False,
    )
    lines = [line for line in scan.stdout.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1].strip()[:300] if lines else ""
    if scan.returncode == 0:
        return {"verdict": "allow", "expires_in": EXPIRES}
    if scan.returncode == REFUSE:
        return {"verdict": "deny", "reason": last or "the scanner refused it"}
    raise RuntimeError("the scanner ended with %d: %s" % (scan.returncode, last))


def work():
    while True:
        target = waiting.get()
        digest = target["digest"]
        try:
            # Events may come twice, and an image under many names.
            if not is_judged(digest):
                said = judge(target)
                call("POST", "/api/verdicts", {"digest": digest, "by": SCAN[0], **said})
                log("%s %s@%s" % (said["verdict"], target["repository"], digest))
        except Exception as error:
            # It stays held back, and the next pull brings another event.
            log("no verdict about %s: %s" % (digest, error))
        finally:
            with lock:
                known.discard(digest)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST_BODY:
            return self.answer(413)
        body = self.rfile.read(length)
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), ("Bearer " + TOKEN).encode()):
            return self.answer(401)
        for event in json.loads(body)["events"]:
            target = event["target"]
            is_wanted = event["action"] in ("push", "cache", "hold") and "references" in target
            if not is_wanted:
                continue
            with lock:
                is_new = target["digest"] not in known
                known.add(target["digest"])
            if is_new:
                waiting.put(target)
        return self.answer(202)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status != 202:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    host, _, port = LISTEN.rpartition(":")
    for _ in range(JOBS):
        threading.Thread(target=work, daemon=True).start()
    log("waiting for events on %s" % LISTEN)
    ThreadingHTTPServer((host, int(port)), Receiver).serve_forever()


if __name__ == "__main__":
    main()
