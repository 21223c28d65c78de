"""Access tokens as the command makes them: shown once, kept as a digest, in a file that is its user's alone."""

import hashlib
import os
import stat

from harness import test


@test("a token is printed once, and its line is its digest")
def printed(t):
    process = t.start_sluice("token", "web", "--scope", "read@app-logs", "--scope", "write@app-*")
    t.equal(process.wait(60), 0, "the exit code")
    token, line = process.stdout.strip(), process.stderr.strip()
    t.true(token.startswith("sluice_") and len(token) == 50, f"a token: {len(token)} characters")
    t.equal(line, f"web read@app-logs,write@app-* sha256:{hashlib.sha256(token.encode()).hexdigest()}", "its line")
    t.true(token not in line, "the line doesn't hold the token")


@test("a file of tokens is made for its user only, and takes further lines")
def appended(t):
    web = t.sluice("token", "web", "--scope", "read@*", "--append", "tokens").strip()
    ops = t.sluice("token", "ops", "--scope", "admin@*", "--append", "tokens").strip()
    t.equal(oct(stat.S_IMODE(os.stat(t.path("tokens")).st_mode)), oct(0o600), "the file's mode")
    digests = [hashlib.sha256(token.encode()).hexdigest() for token in (web, ops)]
    t.equal(t.read("tokens").decode(), f"web read@* sha256:{digests[0]}\nops admin@* sha256:{digests[1]}\n", "the file")


@test("a token that can't be added isn't shown")
def refused(t):
    t.sluice("token", "web", "--scope", "read@*", "--append", "tokens")
    before = t.read("tokens")
    for name, spoil, part in (
        ("web", lambda: None, "tokens:2:1: the name 'web' is taken in line 1"),
        ("ops", lambda: os.chmod(t.path("tokens"), 0o644), "others may read it (mode 0644)"),
        ("ops", lambda: (os.chmod(t.path("tokens"), 0o600), t.write("tokens", before + b"evil\x1b[2J\n")), "tokens:2:1: expected NAME SCOPES sha256:HEX"),
    ):
        spoil()
        process = t.start_sluice("token", name, "--scope", "read@*", "--append", "tokens")
        t.equal(process.wait(60), 1, "the exit code")
        t.equal(process.stdout, "", "standard output")
        t.contains(process.stderr, part, "the message")
        t.true("\x1b" not in process.stderr, "the message is escaped")


@test("an address that others reach needs tokens, which check says")
def checked(t):
    t.pipeline("sources: { in: { type: stdin } }\nserver: { listen: \"0.0.0.0:7171\" }\n")
    process = t.start_sluice("check", "p.yaml")
    t.equal(process.wait(60), 2, "the exit code")
    t.contains(process.stderr, "p.yaml:2:19: server.listen: '0.0.0.0:7171' can be reached from other machines", "the message")
    t.pipeline("sources: { in: { type: stdin } }\nserver: { listen: \"0.0.0.0:7171\", tokens: tokens }\n")
    t.contains(t.sluice("check", "p.yaml"), "  max_connections: 12000\n", "what check prints")
