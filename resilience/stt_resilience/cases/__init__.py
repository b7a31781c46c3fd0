"""The cases, in the order in which they run."""

from stt_resilience.cases.base import Case, Need
from stt_resilience.cases.connection import client_stops, slow_reader, socket_cut
from stt_resilience.cases.disk import disk_full
from stt_resilience.cases.idle import silence
from stt_resilience.cases.load import load
from stt_resilience.cases.shutdown import sigkill_file, sigterm_file
from stt_resilience.cases.undisturbed import undisturbed
from stt_resilience.cases.workers import server_killed, worker_hung, worker_killed, worker_stopped

UNDISTURBED = Case("undisturbed", "What does the server do without a fault?", undisturbed)
WORKER: frozenset[Need] = frozenset({"speech", "starts"})
FILE: frozenset[Need] = frozenset({"files", "starts"})
STREAM: frozenset[Need] = frozenset({"stream"})
SPEECH: frozenset[Need] = frozenset({"speech"})
STARTS: frozenset[Need] = frozenset({"starts"})
CASES = (
    UNDISTURBED,
    Case("worker-killed", "The recognising process is killed in mid-word", worker_killed, WORKER),
    Case("worker-hung", "It is stopped: does the server notice?", worker_hung, WORKER),
    Case("worker-stopped", "It is stopped for 5 s and continues", worker_stopped, WORKER),
    Case("server-killed", "The server is killed and started again", server_killed, WORKER),
    Case("socket-cut", "The client's connection breaks in mid-word", socket_cut, STREAM),
    Case("client-stops", "A client stops sending, and does not close", client_stops, STREAM),
    Case("slow-reader", "A client does not read for 15 s", slow_reader, STREAM),
    Case("load", "20 sessions at once: refused, late, incomplete?", load, SPEECH),
    Case("silence", "Silence and noise: invented words? more memory?", silence, SPEECH),
    Case("sigterm-file", "The server is asked to end during a file", sigterm_file, FILE),
    Case("sigkill-file", "The server is killed during a file", sigkill_file, FILE),
    Case("disk-full", "The disk with the server's data is full", disk_full, STARTS),
)
