"""The API's own description, and requests made up from it by Schemathesis: the server answers as it says, to good and bad requests."""

import sys

import corpus
from harness import Failure, test
import served


@test("the OpenAPI document names every path that the server has, and is served as JSON")
def document(t):
    server = served.serve(t)
    answer = server.get("/openapi.json")
    t.equal((answer.status, answer.headers["Content-Type"]), (200, "application/json"), "status and type")
    found = answer.json
    t.equal(found["openapi"], "3.1.0", "its version")
    for path, operations in found["paths"].items():
        for method in operations:
            filled = path.replace("{queue}", "q").replace("{consumer}", "nobody").replace("{segment}", "00000000000000000009.gz")
            answer = server.request(method.upper(), filled, body=b"{}" if method in ("post", "put") else None)
            t.true(answer.status != 405 and (answer.status != 404 or method == "head" or answer.code != "no_such_path"), f"{method} {path} is there, found {answer}")
            t.true(str(answer.status) in operations[method]["responses"], f"{method} {path} is described with {answer.status}")


@test("Schemathesis finds nothing: no failure, no status, header or body that the description doesn't have", seconds=300)
def schemathesis(t):
    server = served.serve(t)
    server.pushed([line[:-1] for line in corpus.lines(2000, t.seed)])
    server.make_consumer("job")
    t.equal(server.request("POST", server.path("/seal")).status, 200, "sealing")
    server.pushed([b"one", b"two"])
    # Names that are there, beside those that it makes up.
    t.write("schemathesis.toml", """
[parameters]
"path.queue" = "q"
"path.consumer" = "job"
"query.wait" = "5ms"

# An offset that is well-formed and not there is 410.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "410", "422", "429", "503"]

# 'consumer' and 'offset' exclude each other, which OpenAPI can't say.
[[operations]]
include-operation-id = "pullRecords"
checks.positive_data_acceptance.enabled = false
""")
    examples = 200 if t.sizes.name == "full" else 30
    process = t.start(
        sys.executable, "-m", "schemathesis.cli", "run", server.url + "/openapi.json", "--max-examples", str(examples), "--seed", "7", "--workers", "1",
        "--mode", "all", "--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--no-color", "--request-timeout", "70",
        # Its answer doesn't end.
        "--exclude-operation-id", "streamRecords", label="schemathesis")
    code = process.wait(280)
    if code != 0:
        raise Failure(f"Schemathesis ended with {code}:\n{process.stdout[-6000:]}\n{process.stderr_tail}")
    t.true(server.process.is_running, "the server runs")
    t.note(next((line.strip() for line in reversed(process.stdout.splitlines()) if "generated" in line or "test cases" in line), "done"))
